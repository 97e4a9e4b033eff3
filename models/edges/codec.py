# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge codec: an edge map as few bits, each of which may be wrong without much harm.

Bits come plane by plane (the planes of :mod:`models.edges.transform`), each plane row by row. With
P = 7 planes of one bit for 16x16 pixels the rate is 7/256 = 0.0273 bits a pixel, with 5 planes
0.0195. There is no header beyond the picture's size: the number of planes follows from the number
of bits, and bits that are missing at the end are bits not known.

Why fixed length and no entropy coder: see :mod:`models.edges.entropy_codec`, which adds one, and
the comparison that ``./semcom eval edges`` prints.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.edges.transform import MAX_BER, STRIDE, EdgeCodecNetworks, TransformConfig
from models.pictures import check_edges, edge_tensor, padded, to_bytes
from models.roles import EdgeCode
from models.weights_io import WEIGHTS_DIR, load_into, read_card
from semcom_blocks.errors import ConfigError, ModelError, require_range

WEIGHTS = "edge-codec-v1"
MAX_SIDE = 8192  # pixels; a decoder believes no header that asks for more
MAX_PIXELS = 4_000_000  # as the encoder
LOST = 255  # stands for a bit that did not arrive


def load_networks(name: str = WEIGHTS, directory: Path = WEIGHTS_DIR) -> EdgeCodecNetworks:
    """Transform and entropy model with stored weights. Raises :class:`ModelError`."""
    card = read_card(name, directory)
    try:
        networks = EdgeCodecNetworks(TransformConfig(**card["config"]))
    except (TypeError, ConfigError) as error:
        raise ModelError(f"{directory / name}.json: not an edge codec ({error})") from None
    load_into(networks, directory / f"{name}.safetensors", card["sha256"])
    return networks.eval()


def grid_of(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of positions for a picture size; :class:`ConfigError` outside limits."""
    require_range("width", width, 1, MAX_SIDE)
    require_range("height", height, 1, MAX_SIDE)
    if width * height > MAX_PIXELS:
        raise ConfigError(f"size is {width}x{height}, permitted: at most {MAX_PIXELS:,} pixels")
    return -(-height // STRIDE), -(-width // STRIDE)


def check_bits(bits: NDArray[np.uint8], most: int) -> None:
    """:class:`ConfigError` unless uint8 (n,) of 0, 1 and LOST, n ≤ ``most``."""
    array = np.asarray(bits)
    if array.dtype != np.uint8 or array.ndim != 1:
        raise ConfigError(f"bits is {array.dtype} {array.shape}, permitted: uint8 (n,)")
    if array.size > most:
        raise ConfigError(f"bits has {array.size} bits, permitted: at most {most} for this size")
    if odd := sorted(set(np.unique(array).tolist()) - {0, 1, LOST}):
        raise ConfigError(f"bits has the value {odd[0]}, permitted: 0, 1 and {LOST} (lost)")


class EdgeBitCodec:
    """Edge maps as bits of fixed number that survive errors; fills the role ``EdgeCodec``."""

    def __init__(
        self, networks: EdgeCodecNetworks, name: str = WEIGHTS, planes: int | None = None
    ) -> None:
        """``planes``: bits per 16x16 pixels, None for all that the network has."""
        self.networks = networks.eval()
        self.name = name
        self.planes = networks.config.planes if planes is None else planes
        require_range("planes", self.planes, 1, networks.config.planes)

    @classmethod
    def load(
        cls, name: str = WEIGHTS, directory: Path = WEIGHTS_DIR, planes: int | None = None
    ) -> EdgeBitCodec:
        """With stored weights. Raises :class:`ModelError`."""
        return cls(load_networks(name, directory), name, planes)

    def encode(self, edges: NDArray[np.uint8]) -> EdgeCode:
        """Edge map uint8 (H,W) to bits; :class:`ConfigError` for anything else."""
        signs = self.analyse(edges)[0, : self.planes]  # (planes,h,w)
        bits = (signs > 0).to(torch.uint8).reshape(-1).numpy()
        return EdgeCode(bits, edges.shape[1], edges.shape[0])

    def decode(self, code: EdgeCode, ber: float = 0.0) -> NDArray[np.uint8]:
        """Bits, of which a share ``ber`` may be wrong, to the edge map (H,W).

        Whatever the bits are, there is a map; missing and LOST bits leave it vague where they were.
        Raises :class:`ConfigError` for a size or a number of bits that cannot be.
        """
        rows, columns = grid_of(code.width, code.height)
        planes = self.networks.config.planes
        check_bits(code.bits, planes * rows * columns)
        values = np.zeros(planes * rows * columns, np.float32)
        values[: len(code.bits)] = np.select([code.bits == 1, code.bits == 0], [1.0, -1.0], 0.0)
        received = torch.from_numpy(values).reshape(1, planes, rows, columns)
        return self.synthesise(received, ber, code)

    @torch.no_grad()
    def analyse(self, edges: NDArray[np.uint8]) -> Tensor:
        """Signs ±1 (1,P,h,w) of an edge map."""
        check_edges(edges)
        grid_of(edges.shape[1], edges.shape[0])
        values = padded(edge_tensor(edges), STRIDE, "constant")  # no edges outside the picture
        return torch.where(self.networks.transform.analyse(values) >= 0, 1.0, -1.0)

    @torch.no_grad()
    def synthesise(self, received: Tensor, ber: float, code: EdgeCode) -> NDArray[np.uint8]:
        """Received ±1 or 0 (1,P,h,w) to the edge map of the size that ``code`` names."""
        require_range("ber", ber, 0, MAX_BER)
        logits = self.networks.transform.synthesise(received, torch.tensor([float(ber)]))
        return to_bytes(logits.sigmoid()[0, 0, : code.height, : code.width])
