# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and edge maps at the border of a network: checked, to tensors, padded, and back."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semcom_blocks.errors import ConfigError

MAX_PIXELS = 4_000_000  # features of some 1.5 GB at once; larger pictures want a tiled reader


def check_picture(picture: NDArray[np.uint8], max_pixels: int = MAX_PIXELS) -> None:
    """:class:`ConfigError` unless uint8 (H,W,3), not empty, at most ``max_pixels``."""
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ConfigError(f"picture is {array.dtype} {array.shape}, permitted: uint8 (H,W,3)")
    _check_size("picture", array.shape, max_pixels)


def check_edges(edges: NDArray[np.uint8], max_pixels: int = MAX_PIXELS) -> None:
    """:class:`ConfigError` unless uint8 (H,W), not empty, at most ``max_pixels``."""
    array = np.asarray(edges)
    if array.dtype != np.uint8 or array.ndim != 2 or not array.size:
        raise ConfigError(f"edge map is {array.dtype} {array.shape}, permitted: uint8 (H,W)")
    _check_size("edge map", array.shape, max_pixels)


def _check_size(name: str, shape: tuple[int, ...], max_pixels: int) -> None:
    if shape[0] * shape[1] > max_pixels:
        raise ConfigError(
            f"{name} is {shape[1]}x{shape[0]}, permitted: at most {max_pixels:,} pixels"
        )


def picture_tensor(picture: NDArray[np.uint8]) -> Tensor:
    """uint8 (H,W,3) to float32 (1,3,H,W) in [0,1]."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def edge_tensor(edges: NDArray[np.uint8]) -> Tensor:
    """uint8 (H,W) to float32 (1,1,H,W) in [0,1]."""
    return torch.from_numpy(np.array(edges))[None, None].float() / 255


def padded(x: Tensor, multiple: int, mode: str = "replicate") -> Tensor:
    """(N,C,H,W) with rows and columns added below and right up to multiples of ``multiple``."""
    height, width = x.shape[-2:]
    pad = (0, -width % multiple, 0, -height % multiple)
    return F.pad(x, pad, mode=mode) if any(pad) else x


def to_bytes(x: Tensor) -> NDArray[np.uint8]:
    """Values in [0,1] of any shape to uint8."""
    return (x.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
