# SPDX-License-Identifier: GPL-3.0-or-later
"""liquid-dsp's OFDM frame synchroniser, by a small C driver that is built when it is wanted."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from semcom_blocks.bench.recording import PAYLOADS, SEGMENT_SAMPLES, Segment

WAVEFORM = "liquid"
SOURCE = Path(__file__).with_name("liquid_driver.c")
#: The testbed does not need the library; this is how to get it.
REMEDY = "apt-get install gcc libc6-dev libliquid-dev"
#: Samples of a frame besides its payload, about, and data carriers of a symbol of 80 samples.
OVERHEAD_SAMPLES, N_DATA, SYMBOL_LEN = 800, 48, 80
#: A build or a run that takes longer hangs.
TIMEOUT_S = 120.0


def build(folder: Path) -> tuple[Path | None, str]:
    """Compile the driver into ``folder``: its path, or None and the reason in one line."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None, f"no C compiler (cc) here: {REMEDY}"
    driver = folder / "liquid_driver"
    command = [compiler, "-O2", "-o", str(driver), str(SOURCE), "-lliquid", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        return None, f"its driver does not build, libliquid-dev is missing: {REMEDY}"
    return driver, ""


def make(driver: Path, kind: str, target: Path) -> int:
    """Write clean frames of a kind to ``target``, cf32; their number."""
    symbols = PAYLOADS[kind]
    n_frames = -(-SEGMENT_SAMPLES // (OVERHEAD_SAMPLES + symbols * SYMBOL_LEN // N_DATA))
    _run([driver, "make", target, n_frames, symbols // 4])
    return n_frames


def decode(driver: Path, path: Path, segment: Segment) -> dict[str, Any]:
    """Time the driver on a segment; see the driver for what it prints."""
    n_bytes = segment.payload_symbols // 4
    return json.loads(_run([driver, "time", path, segment.first, segment.count, n_bytes]))


def _run(command: list[object]) -> str:
    words = [str(word) for word in command]
    return subprocess.run(
        words, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    ).stdout
