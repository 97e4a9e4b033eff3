# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge codec with an entropy coder: fewer bits, which stand or fall together.

The bits of the transform go through a range coder (``constriction``; Bamler, arXiv:2201.01741) with
the probabilities of the learned :class:`models.edges.transform.BitModel`. One wrong bit makes all
that follows it meaningless, so the picture may be cut into segments, tiles of so many positions a
side, each

::

    length (12 bits) | payload (length bits) | CRC-8 over both

with an entropy model that looks at its own tile only. A segment whose CRC fails is lost as a whole,
and a wrong length loses the place of all that follow; the synthesis draws lost tiles vaguely.
Without tiles (``tile=None``) the whole picture is one segment, as in nonlinear transform coding.

Both ends must compute the same probabilities: they are rounded to 1/256 and computed one tile shape
at a time, which holds for one build of torch on one kind of machine, not by any norm for two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.edges.codec import WEIGHTS, EdgeBitCodec, check_bits, grid_of, load_networks
from models.edges.transform import EdgeCodecNetworks, parity
from models.roles import EdgeCode
from semcom_blocks.errors import require_range

LENGTH_BITS = 12
MAX_PAYLOAD = 2**LENGTH_BITS - 1
CRC_BITS = 8
CRC_POLYNOMIAL = 0x2F  # x^8+x^5+x^3+x^2+x+1: distance 4 up to 119 bits (Koopman)
LEVELS = 256  # of probabilities
WORD_BITS = 32  # of the range coder
MAX_TILE = 16  # positions: 7 · 256 bits, which fit the length at two bits each and more


class EdgeEntropyCodec:
    """Edge maps as entropy-coded segments; fills the role ``EdgeCodec``."""

    def __init__(
        self, networks: EdgeCodecNetworks, name: str = WEIGHTS, tile: int | None = 4
    ) -> None:
        """``tile``: positions a side of a segment, None for the whole picture as one."""
        if tile is not None:
            require_range("tile", tile, 1, MAX_TILE)
        self.inner = EdgeBitCodec(networks, name)
        self.tile = tile
        self.name = f"{name}+range-coder"

    @classmethod
    def load(cls, name: str = WEIGHTS, tile: int | None = 4, **where: Path) -> EdgeEntropyCodec:
        """With stored weights. Raises :class:`ModelError`."""
        return cls(load_networks(name, **where), name, tile)

    def _tiles(self, rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
        step = self.tile or max(rows, columns)
        for top in range(0, rows, step):
            for left in range(0, columns, step):
                yield slice(top, min(top + step, rows)), slice(left, min(left + step, columns))

    def encode(self, edges: NDArray[np.uint8]) -> EdgeCode:
        """Edge map uint8 (H,W) to the bits of all segments."""
        signs = self.inner.analyse(edges)
        segments = [self._segment(signs[:, :, y, x]) for y, x in self._tiles(*signs.shape[2:])]
        return EdgeCode(np.concatenate(segments), edges.shape[1], edges.shape[0])

    def decode(self, code: EdgeCode, ber: float = 0.0) -> NDArray[np.uint8]:
        """Bits to the edge map; ``ber`` is taken but not used: what passes a CRC is right."""
        rows, columns = grid_of(code.width, code.height)
        tiles = list(self._tiles(rows, columns))
        planes = self.inner.networks.config.planes
        check_bits(code.bits, len(tiles) * (LENGTH_BITS + MAX_PAYLOAD + CRC_BITS))
        received = torch.zeros(1, planes, rows, columns)
        rest = code.bits
        for y, x in tiles:
            payload, rest = _take(rest)
            if payload is not None:
                shape = (1, planes, y.stop - y.start, x.stop - x.start)
                received[:, :, y, x] = self._decoded(payload, torch.Size(shape))
        return self.inner.synthesise(received, 0.0, code)

    def _segment(self, signs: Tensor) -> NDArray[np.uint8]:
        probabilities, symbols = [], []

        def note(chances: NDArray[np.float64], where: Tensor) -> NDArray[np.int32]:
            own = (signs[where] > 0).numpy().astype(np.int32)
            probabilities.append(chances)
            symbols.append(own)
            return own

        self._walk(signs.shape, note)
        payload = _range_coded(np.concatenate(symbols), np.concatenate(probabilities))
        length = [len(payload) >> i & 1 for i in reversed(range(LENGTH_BITS))]
        body = np.concatenate((np.array(length, np.uint8), payload))
        return np.concatenate((body, _crc(body)))

    def _decoded(self, payload: NDArray[np.uint8], shape: torch.Size) -> Tensor:
        from constriction import stream  # no package of modules: its parts are attributes

        decoder = stream.queue.RangeDecoder(_words(payload))

        def read(chances: NDArray[np.float64], where: Tensor) -> NDArray[np.int32]:
            return decoder.decode(_bernoulli(), chances)

        try:
            return self._walk(shape, read)
        except AssertionError:  # constriction's word for data that no encoder writes
            return torch.zeros(shape)

    @torch.no_grad()
    def _walk(
        self,
        shape: torch.Size,
        visit: Callable[[NDArray[np.float64], Tensor], NDArray[np.int32]],
    ) -> Tensor:
        """Go through the groups of bits in coding order; ``visit(P(1), where)`` gives the bits."""
        model = self.inner.networks.bit_model
        signs = torch.zeros(shape)
        odd = parity(shape[2], shape[3])
        for plane in range(shape[1]):
            for half in (0, 1):
                where = torch.zeros(shape, dtype=torch.bool)
                where[:, plane] = odd == half
                if not where.any():
                    continue
                known = model.known(shape, torch.tensor([plane]), torch.tensor([half]))
                chances = model(signs, known).sigmoid()[where].double().numpy()
                chances = np.clip(np.round(chances * LEVELS), 1, LEVELS - 1) / LEVELS
                bits = visit(chances, where)
                signs[where] = torch.from_numpy(2.0 * bits - 1.0).float()
        return signs


def _bernoulli():
    from constriction import stream

    return stream.model.Bernoulli(perfect=False)


def _range_coded(symbols: NDArray[np.int32], chances: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Shortest bits that a range decoder, padding with zeros, reads back as ``symbols``."""
    from constriction import stream

    encoder = stream.queue.RangeEncoder()
    encoder.encode(symbols, _bernoulli(), chances)
    words = encoder.get_compressed()
    value = int.from_bytes(words.astype(">u4").tobytes(), "big")
    total = WORD_BITS * len(words)
    for length in range(max(0, total - 2 * WORD_BITS), total + 1):
        # The decoder reads any value of the last interval: try the cut one and the next.
        start = value >> (total - length)
        for prefix in (start, start + 1):
            if prefix >> length:
                continue
            text = f"{prefix:0{length}b}" if length else ""
            bits = np.frombuffer(text.encode(), np.uint8) - ord("0")
            try:
                decoded = stream.queue.RangeDecoder(_words(bits)).decode(_bernoulli(), chances)
            except AssertionError:
                continue
            if np.array_equal(decoded, symbols):
                return bits
    raise AssertionError("a range decoder reads what its encoder wrote")


def _words(bits: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Bits, first the highest, padded with zeros to whole words of 32."""
    whole = np.zeros(-(-len(bits) // WORD_BITS) * WORD_BITS, np.uint8)
    whole[: len(bits)] = bits
    return np.packbits(whole).view(">u4").astype(np.uint32)


def _take(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8] | None, NDArray[np.uint8]]:
    """The payload of the segment in front, None where its CRC fails, and what follows it."""
    if len(bits) < LENGTH_BITS + CRC_BITS:
        return None, bits[:0]
    length = int("".join("1" if b == 1 else "0" for b in bits[:LENGTH_BITS]), 2)
    end = LENGTH_BITS + length
    body, check, rest = bits[:end], bits[end : end + CRC_BITS], bits[end + CRC_BITS :]
    right = len(check) == CRC_BITS and np.array_equal(check, _crc(body))
    return (body[LENGTH_BITS:] if right else None), rest


def _crc(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    register = 0xFF
    for bit in bits.tolist():
        register = (register << 1) ^ (CRC_POLYNOMIAL if (register >> 7) ^ (bit & 1) else 0)
        register &= 0xFF
    return np.array([register >> i & 1 for i in reversed(range(8))], np.uint8)
