# SPDX-License-Identifier: GPL-3.0-or-later
"""Finite Guard: stands right behind every source and lets no NaN, infinity or 1e30 through."""

from typing import Any

import numpy as np
from gnuradio import gr

from semcom_blocks.phy.guard import finite_guard


class FiniteGuard(gr.sync_block):
    """Stream in, stream out; bad samples become zero and are counted in ``replaced``."""

    def __init__(self) -> None:
        gr.sync_block.__init__(self, "Finite Guard", in_sig=[np.complex64], out_sig=[np.complex64])
        self.replaced = 0

    def work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Copy, replacing; see :meth:`gr.sync_block.work`."""
        samples: Any = input_items[0]
        output_items[0][:], count = finite_guard(samples)
        self.replaced += count
        return len(samples)
