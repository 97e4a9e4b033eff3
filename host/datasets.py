# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures for training and evaluation from an ordinary folder or a zip file.

A file belongs to the split that its path names (a directory ``train``, ``val`` or ``test``). Where
no path names a split, every 20th picture is ``test``, another 20th ``val``, the rest ``train``.
Where ``train`` exists but ``val`` does not (CIFAR-10), every 50th picture of ``train`` is held out
as ``val``. Order is by name, so that a split is the same on every machine.
"""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from semcom_blocks.errors import ConfigError, require_choice

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff")
HELD_OUT_EVERY = 50  # CIFAR-10: 1,000 of 50,000, enough for a mean PSNR within 0.1 dB
UNSPLIT_EVERY = 20  # 5 % each for val and test where a folder has no splits
CROP = 96  # pixels of a photo at once in training: 24 latents, so that the middle sees no border
SMALL_SIDE = 64  # pixels; pictures up to this side are used whole, as CIFAR-10's 32 are
MAX_PIXELS = 16_000_000  # as the codec; keeps a decompression bomb from filling the memory
MAX_FILE_BYTES = 64 * 2**20  # a picture of 16 MP is smaller than this in every format read here


@dataclass(frozen=True)
class PictureSet:
    """Pictures of one split, each uint8 (H,W,3) RGB, with what was skipped on the way."""

    source: str
    split: str
    pictures: list[np.ndarray]
    skipped: int


def _listing(path: Path) -> tuple[list[str], Callable[[str], bytes]]:
    """Sorted names of the picture files in a folder or zip, and a function that reads one."""
    if path.is_dir():
        names = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]

        def read(name: str) -> bytes:
            with open(path / name, "rb") as file:
                return file.read(MAX_FILE_BYTES + 1)

    else:
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise ConfigError(
                f"data is {str(path)!r}, permitted: a folder or a zip ({error})"
            ) from None
        names = [info.filename for info in archive.infolist() if not info.is_dir()]

        def read(name: str) -> bytes:
            with archive.open(name) as file:
                return file.read(MAX_FILE_BYTES + 1)

    return sorted(n for n in names if n.lower().endswith(SUFFIXES)), read


def split_names(names: list[str], split: str) -> list[str]:
    """Those of the sorted ``names`` in ``split``, by the rules at the top of this file."""
    require_choice("split", split, SPLITS)
    named: dict[str, list[str]] = {s: [] for s in SPLITS}
    for name in names:
        folders = PurePosixPath(name).parts[:-1]
        for s in SPLITS:
            if s in folders:
                named[s].append(name)
                break
    if not any(named.values()):
        place = {0: "test", UNSPLIT_EVERY // 2: "val"}
        return [n for i, n in enumerate(names) if place.get(i % UNSPLIT_EVERY, "train") == split]
    if named["train"] and not named["val"]:
        named["val"] = named["train"][::HELD_OUT_EVERY]
        del named["train"][::HELD_OUT_EVERY]
    return named[split]


def _decode(data: bytes) -> np.ndarray:
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"more than {MAX_FILE_BYTES} bytes")
    with Image.open(io.BytesIO(data)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} is over {MAX_PIXELS} pixels")
        return np.array(image.convert("RGB"))


def load_pictures(path: str | Path, split: str, limit: int | None = None) -> PictureSet:
    """Read ``split`` of the folder or zip at ``path``; ``limit``: evenly spread over the names.

    Unreadable pictures are skipped and counted. Raises :class:`ConfigError` when none is left.
    """
    names, read = _listing(Path(path))
    names = split_names(names, split)
    if limit is not None and len(names) > limit:
        names = [names[i * len(names) // limit] for i in range(limit)]
    pictures, skipped = [], 0
    for name in names:
        try:
            pictures.append(_decode(read(name)))
        except Exception as error:  # a decoder may raise anything on a damaged file
            skipped += 1
            log.warning("%s: skipped %s (%s)", path, name, error)
    if not pictures:
        raise ConfigError(
            f"data is {str(path)!r}, split {split!r}: no readable picture "
            f"({skipped} unreadable), permitted: at least 1"
        )
    return PictureSet(str(path), split, pictures, skipped)
