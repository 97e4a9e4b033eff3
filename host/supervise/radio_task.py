# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of ``semcom_blocks.bench``, carried out under the radio's interpreter."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from host.supervise.environment import REPO_ROOT, child_environment, radio_python
from semcom_blocks.errors import PeerError


def radio_task(task: str, request: dict[str, Any], timeout_s: float) -> str:
    """Run ``task`` with ``request``, one thread, no packages of the user's; its standard output.

    Raises :class:`PeerError` with the last line of its errors if it fails or takes longer than
    ``timeout_s``.
    """
    try:
        done = subprocess.run(
            [radio_python(), "-m", "semcom_blocks.bench", task, json.dumps(request)],
            cwd=REPO_ROOT,
            env=child_environment(threads=1, user_site=False),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PeerError(f"bench task {task} did not end within {timeout_s:g} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise PeerError(f"bench task {task} ended with {done.returncode}: {lines[-1]}")
    return done.stdout
