# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a job's folder so that no reader ever sees half a file."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from semcom_blocks.errors import ConfigError

LAST = "report.json"  # its presence says that the others are there
NAMES = ("received.png", "prompt.txt", "report.png", LAST)


def require_folder(out: Path) -> Path:
    """``out`` as an existing folder that can be written; ``ConfigError`` if it cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return out
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = f"folder {str(out)!a} cannot be written ({reason}), permitted: a writable folder"
        raise ConfigError(text) from None


def png_bytes(pixels: np.ndarray) -> bytes:
    """``pixels`` uint8 (H, W, 3) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_all(out: Path, contents: Mapping[str, bytes]) -> None:
    """Write ``contents`` (name → bytes) into ``out``.

    All are complete beside their places before the first is renamed into it;
    ``report.json`` comes last. What an earlier job left there and this one lacks is
    removed: a folder never mixes two jobs.
    """
    names = sorted(contents, key=lambda name: (name == LAST, name))
    with tempfile.TemporaryDirectory(prefix=".semcom-", dir=out) as staging:
        for name in names:
            (Path(staging) / name).write_bytes(contents[name])
        for name in (LAST, *(name for name in NAMES if name not in contents)):
            (out / name).unlink(missing_ok=True)
        for name in names:
            os.replace(Path(staging) / name, out / name)
