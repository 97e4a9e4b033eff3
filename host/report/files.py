# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a job's folder so that no reader ever sees half a file."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from semcom_blocks.errors import ConfigError

LAST = "report.json"  # its presence says that the others are there
NAMES = ("received.png", "edges.png", "coarse.png", "prompt.txt", "report.png", LAST)


@contextlib.contextmanager
def output_folder(out: Path) -> Iterator[Path]:
    """``out`` as an existing folder that can be written; ``ConfigError`` if it cannot be.

    When what is inside raises, folders made here that are still empty go again.
    """
    made = _missing(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except (OSError, ValueError) as error:
        _remove_empty(made)
        reason = getattr(error, "strerror", None) or str(error)
        text = f"folder {str(out)!a} cannot be written ({reason}), permitted: a writable folder"
        raise ConfigError(text) from None
    try:
        yield out
    except BaseException:
        _remove_empty(made)
        raise


def _missing(folder: Path) -> list[Path]:
    """``folder`` and those above it that do not exist, deepest first."""
    with contextlib.suppress(OSError, ValueError):
        return [path for path in (folder, *folder.parents) if not path.exists()]
    return []


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):  # not empty, or never made
        for folder in folders:
            folder.rmdir()


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


def write_file(path: Path, data: bytes) -> None:
    """Write one file beside whatever else is in its folder, all of it or nothing."""
    with (
        output_folder(path.parent) as folder,
        tempfile.TemporaryDirectory(prefix=".semcom-", dir=folder) as staging,
    ):
        part = Path(staging) / "part"
        part.write_bytes(data)
        try:
            os.replace(part, path)
        except OSError as error:  # a folder of that name
            raise ConfigError(f"file {str(path)!a} cannot be written ({error.strerror})") from None
