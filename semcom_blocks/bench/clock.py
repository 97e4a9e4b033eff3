# SPDX-License-Identifier: GPL-3.0-or-later
"""What a piece of work took: processor time and wall-clock time."""

import time
from collections.abc import Callable


def timed(action: Callable[[], object], samples: int) -> dict[str, float]:
    """Run ``action`` once; its cpu_s, wall_s and the number of samples that it dealt with.

    Processor time counts every thread of this process and no other process, so it holds
    on a machine that does other work as well; on an idle one both are the same.
    """
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    action()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return {"cpu_s": cpu_s, "wall_s": wall_s, "samples": samples}
