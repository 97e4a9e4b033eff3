# SPDX-License-Identifier: GPL-3.0-or-later
"""The testbed's frames in PyTorch: where a picture's symbols lie, peak control, channel estimate.

Layout, known cells and the estimator are those of :mod:`semcom_blocks.phy`; what gradients have to
pass, clipping and equaliser, is written anew and held to it by tests. As long as no path is later
than the cyclic prefix, an OFDM symbol behind a channel that stands still is its cells times the
response, so no sample is convolved.

Shapes: B pictures, F frames of each, R OFDM symbols of a frame (long field first), n carriers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from semcom_blocks.phy.estimators import lmmse_many
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.interleave import spread, whitening
from semcom_blocks.phy.modulator import CLIP_PASSES
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import LONG_SYMBOLS, long_field

NUMEROLOGY = Numerology()
SMALLEST = 1e-12  # of powers and magnitudes that are divided by, as in the receiver


@dataclass(frozen=True)
class Waveform:
    """Frames that carry n symbols of a picture.

    cells (F,R,n) complex64: everything but the symbols.  reference (F,R,n) complex64: the known
    values, 0 elsewhere.  weight (n,): known cells of each carrier.  order (n,): the symbol at each
    position on the air.  lengths: positions of each frame.  For each position place (n,): where it
    lies in the flattened cells, lane (n,): where in a flattened (F,n), turns (n,) complex64: its
    whitening, that before precoding too.  precoded: over all symbols of a frame
    (:mod:`semcom_blocks.phy.precoding`).
    """

    cells: Tensor
    reference: Tensor
    weight: Tensor
    order: Tensor
    lengths: tuple[int, ...]
    place: Tensor
    lane: Tensor
    turns: Tensor
    precoded: bool

    def fill(self, symbols: Tensor) -> Tensor:
        """Symbols complex64 (B,n) → cells (B,F,R,n)."""
        values = symbols[:, self.order]
        if self.precoded:
            parts = (values * self.turns).split(self.lengths, dim=1)
            values = torch.cat([torch.fft.fft(part, norm="ortho") for part in parts], dim=1)
        flat = self.cells.flatten().expand(len(symbols), -1)
        return flat.index_copy(1, self.place, values * self.turns).unflatten(1, self.cells.shape)

    def extract(self, cells: Tensor, gain: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
        """Undo :meth:`fill`: symbols and the error variance of each, (B,n) both.

        gain, error (B,F,n): of the equalised carriers, as :func:`mmse` has them.
        """
        values = cells.flatten(1)[:, self.place] * self.turns.conj()
        error = error.flatten(1)[:, self.lane]
        if self.precoded:
            gain = gain.flatten(1)[:, self.lane]
            parts = [x.split(self.lengths, dim=1) for x in (values, gain, error)]
            pairs = [_undo(*part) for part in zip(*parts, strict=True)]
            values, error = (torch.cat(part, dim=1) for part in zip(*pairs, strict=True))
            values = values * self.turns.conj()
        back = self.order.argsort()
        return values[:, back], error[:, back]


def _undo(values: Tensor, gain: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    """Take the precoding off the symbols of one frame (B,k)."""
    mean = gain.mean(1, keepdim=True)
    variance = (error.mean(1, keepdim=True) - (1 - mean).square()) / mean.square()
    values = torch.fft.ifft(values / mean, norm="ortho")
    return values, variance.clamp_min(SMALLEST).expand_as(error)


@lru_cache(maxsize=64)
def waveform(symbols: int, frames: int, precoded: bool) -> Waveform:
    """The waveform of ``symbols`` symbols in ``frames`` frames of about equal length.

    The whole stream is permuted, cut, and each piece interleaved, as transmitter and framer do.
    """
    num = NUMEROLOGY
    pieces = np.array_split(np.arange(symbols), frames)
    cells, reference, place, lane, turns = [], [], [], [], []
    for index, piece in enumerate(pieces):
        # All frames get the length of the first, which is the longest.
        header = FrameHeader(
            1,
            index,
            stream_id=1,
            analog_symbols=len(pieces[0]),
            analog_offset=int(piece[0]),
            precoding="frame" if precoded else "none",
        )
        layout = FrameLayout(num, header)
        geometry, white = layout.geometry, whitening(layout.n_cells)
        grid = layout.reference.copy()
        grid.reshape(-1)[geometry.payload_cells] = white
        known = np.concatenate([np.ones((LONG_SYMBOLS, num.n_used), bool), layout.known])
        cells.append(np.concatenate([long_field(num), grid]))
        reference.append(np.where(known, cells[-1], 0))
        before = (index * len(known) + LONG_SYMBOLS) * num.n_used
        place.append(before + geometry.payload_cells[: len(piece)])
        lane.append(index * num.n_used + geometry.payload_carriers[: len(piece)])
        turns.append(white[: len(piece)])
    return Waveform(
        torch.from_numpy(np.stack(cells)),
        torch.from_numpy(np.stack(reference)),
        torch.from_numpy(known.sum(axis=0).astype(np.float32)),
        torch.from_numpy(spread(np.arange(symbols))),
        tuple(map(len, pieces)),
        *(torch.from_numpy(np.concatenate(parts)) for parts in (place, lane, turns)),
        precoded=precoded,
    )


@lru_cache(maxsize=1)
def _synthesis() -> Tensor:
    """exp(j2πkt/N) / sqrt(n), complex64 (n,N): cells of unit power → samples of unit power."""
    turns = np.outer(NUMEROLOGY.carriers, np.arange(NUMEROLOGY.fft_size)) / NUMEROLOGY.fft_size
    return torch.from_numpy(np.exp(2j * np.pi * turns) / NUMEROLOGY.n_used**0.5).to(torch.complex64)


def clip_and_filter(cells: Tensor, limit_db: Tensor) -> Tensor:
    """Limit the peaks of the symbols of frames (B,F,R,n) at ``limit_db`` (B,) over unit power.

    As :func:`semcom_blocks.phy.modulator.modulate` with ``papr_limit_db``: envelope clipped, what
    falls outside the used carriers filtered off, both repeated, power of the frame given back.
    """
    there = _synthesis()
    back = there.conj().T * (NUMEROLOGY.n_used / NUMEROLOGY.fft_size)
    limit = (10 ** (limit_db / 20))[:, None, None, None]
    clipped = cells
    for _ in range(CLIP_PASSES):
        samples = clipped @ there
        factor = (limit / samples.abs().clamp_min(SMALLEST)).clamp_max(1)
        clipped = (samples * factor) @ back
    return clipped * (_power(cells) / _power(clipped).clamp_min(SMALLEST)).sqrt()


def _power(cells: Tensor) -> Tensor:
    """Mean |x|² of each frame, (B,F,1,1)."""
    return (cells.real.square() + cells.imag.square()).mean((2, 3), keepdim=True)


@torch.no_grad()
def estimate(seen: Tensor, wave: Waveform) -> tuple[Tensor, Tensor]:
    """Response (B,F,n) and noise variance (B,F) as the receiver's robust LMMSE sees them.

    LS over the known cells of ``seen`` (B,F,R,n), the residual's variance, and smoothing over
    frequency (:func:`semcom_blocks.phy.estimators.lmmse`). No gradient: of a symbol's energy
    next to nothing reaches a pilot.
    """
    # Known values have unit power.
    least = (wave.reference.conj() * seen).sum(2) / wave.weight
    residual = torch.where(wave.reference == 0, 0, seen) - least[:, :, None] * wave.reference
    energy = (residual.real.square() + residual.imag.square()).sum((2, 3))
    freedom = float(wave.weight.sum()) - len(wave.weight)
    noise_var = (energy / freedom).clamp_min(SMALLEST)
    error = noise_var * float((1 / wave.weight).mean())
    smooth = lmmse_many(least.flatten(0, 1).numpy(), error.flatten().numpy(), NUMEROLOGY)
    return torch.from_numpy(smooth).view_as(least), noise_var


def mmse(response: Tensor, noise_var: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Factor, gain and error variance of each carrier, (B,F,n) each.

    For a response (B,F,n) and noise (B,F), as :func:`semcom_blocks.phy.equalizer.equalize`.
    """
    noise_var = noise_var[:, :, None]
    power = (response.real.square() + response.imag.square()).clamp_min(SMALLEST)
    gain = power / (power + noise_var)
    gain = gain / gain.mean(2, keepdim=True)
    error = gain.square() * noise_var / power + (1 - gain).square()
    return gain * response.conj() / power, gain, error
