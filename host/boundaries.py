# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos with the boundaries that people drew in them: the Berkeley set (BSDS500).

Folder or zip with ``images/SPLIT/NAME.jpg`` and ``groundTruth/SPLIT/NAME.mat``
(Arbeláez et al., "Contour detection and hierarchical image segmentation", TPAMI 2011). Each .mat
holds a cell array ``groundTruth`` of annotators, each a structure with ``Boundaries`` (H,W).
"""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from host.datasets import MAX_FILE_BYTES, MAX_PIXELS, SPLITS
from semcom_blocks.errors import ConfigError, require_choice

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotated:
    """One photo, uint8 (H,W,3), and what A people drew in it, bool (A,H,W)."""

    name: str
    picture: NDArray[np.uint8]
    boundaries: NDArray[np.bool_]


def load_boundaries(
    path: str | Path, splits: tuple[str, ...], limit: int | None = None
) -> list[Annotated]:
    """The photos of ``splits`` in the order of their names, at most ``limit``, evenly spread.

    Damaged pairs are skipped with a warning. Raises :class:`ConfigError` when none is left.
    """
    for split in splits:
        require_choice("split", split, SPLITS)
    files = dict(files_of(Path(path)))
    pairs = []
    for name in sorted(files):
        where = PurePosixPath(name)
        truth = where.parent.parent.parent / "groundTruth" / where.parent.name / f"{where.stem}.mat"
        inside = where.parent.parent.name == "images" and where.parent.name in splits
        if inside and where.suffix.lower() in (".jpg", ".jpeg", ".png") and str(truth) in files:
            pairs.append((name, str(truth)))
    if limit is not None and len(pairs) > limit:
        pairs = [pairs[i * len(pairs) // limit] for i in range(limit)]
    found = []
    for name, truth in pairs:
        try:
            found.append(_read(name, files[name](), files[truth]()))
        except Exception as error:  # decoders may raise anything on a damaged file
            log.warning("%s: skipped %s (%s)", path, name, error)
    if not found:
        raise ConfigError(
            f"data is {str(path)!r}: {len(pairs)} photos with boundaries in {', '.join(splits)}, "
            "permitted: at least 1, as images/SPLIT/NAME.jpg and groundTruth/SPLIT/NAME.mat"
        )
    return found


def files_of(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name and reader of each file under a folder or in a zip."""
    if path.is_dir():
        for file in path.rglob("*"):
            if file.is_file():
                yield file.relative_to(path).as_posix(), file.read_bytes
        return
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"data is {str(path)!r}, permitted: a folder or a zip ({error})"
        ) from None
    for info in archive.infolist():
        if not info.is_dir() and info.file_size <= MAX_FILE_BYTES:
            yield info.filename, lambda info=info: archive.read(info)


def _read(name: str, image: bytes, truth: bytes) -> Annotated:
    from scipy.io import loadmat

    with Image.open(io.BytesIO(image)) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError(f"{opened.width}x{opened.height} is over {MAX_PIXELS} pixels")
        picture = np.array(opened.convert("RGB"))
    cells = loadmat(io.BytesIO(truth))["groundTruth"].reshape(-1)
    drawn = np.stack([np.asarray(cell["Boundaries"][0, 0]) > 0 for cell in cells])
    if drawn.shape[1:] != picture.shape[:2]:
        raise ValueError(f"boundaries are {drawn.shape[1:]}, the photo is {picture.shape[:2]}")
    return Annotated(PurePosixPath(name).stem, picture, drawn)
