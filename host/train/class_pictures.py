# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in folders named after their class (CIFAR-10), and sentences that name a class."""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from host.boundaries import files_of
from host.datasets import SUFFIXES
from semcom_blocks.errors import ConfigError

SIDE = 32  # pixels; larger or smaller pictures are brought to it
MOST = 100_000  # pictures: 300 MB

OTHER_WORDS = {"airplane": "plane", "automobile": "car", "ship": "boat", "truck": "lorry"}
SENTENCES = (
    "a photo of a {}.",
    "a picture of a {}.",
    "an image of the {}.",
    "a small photograph of a {}.",
    "there is a {} in the picture.",
    "the photo shows a {}.",
    "a {}.",
)


def class_pictures(path: str | Path, split: str, limit: int = MOST) -> tuple[Tensor, Tensor, list]:
    """Pictures uint8 (N,3,32,32), class numbers (N,) and names; of a folder or zip SPLIT/CLASS/….

    ``limit``: evenly spread over the sorted names. Raises :class:`ConfigError` where none is found.
    """
    found = [
        (PurePosixPath(name), read)
        for name, read in files_of(Path(path))
        if name.lower().endswith(SUFFIXES)
    ]
    found = sorted((n, r) for n, r in found if len(n.parts) >= 3 and n.parts[-3] == split)
    found = [found[i * len(found) // limit] for i in range(limit)] if len(found) > limit else found
    names = sorted({name.parts[-2] for name, _ in found})
    pictures = []
    for _, read in found:
        with Image.open(io.BytesIO(read())) as image:
            whole = image.convert("RGB")
            fits = whole.size == (SIDE, SIDE)
            pictures.append(np.asarray(whole if fits else whole.resize((SIDE, SIDE))))
    if len(names) < 2:
        raise ConfigError(
            f"data is {str(path)!r}: {len(names)} classes of pictures as {split}/CLASS/NAME, "
            "permitted: at least 2"
        )
    numbers = torch.tensor([names.index(name.parts[-2]) for name, _ in found])
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(), numbers, names


def class_sentences(names: list[str], generator: torch.Generator) -> list[str]:
    """One sentence for each class, form and word drawn."""
    texts = []
    for name in names:
        form = SENTENCES[int(torch.randint(len(SENTENCES), (), generator=generator))]
        other = float(torch.rand((), generator=generator)) < 0.3
        texts.append(form.format(OTHER_WORDS.get(name, name) if other else name))
    return texts


def shifted(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 (B,3,32,32) to float in [0,1], each moved by up to 4 pixels and perhaps mirrored."""
    import torch.nn.functional as F

    count = len(pictures)
    padded = F.pad(pictures.float() / 255, (4, 4, 4, 4), mode="reflect")
    top, left = torch.randint(9, (2, count), generator=generator)
    rows = (top[:, None] + torch.arange(SIDE))[:, None, :, None].expand(-1, 3, -1, SIDE + 8)
    columns = (left[:, None] + torch.arange(SIDE))[:, None, None].expand(-1, 3, SIDE, -1)
    moved = padded.gather(2, rows).gather(3, columns)
    mirror = torch.rand((count, 1, 1, 1), generator=generator) < 0.5
    return torch.where(mirror, moved.flip(3), moved)
