# SPDX-License-Identifier: GPL-3.0-or-later
"""The testbed's OFDM link made differentiable, and the draw of its conditions.

::

    latents -> symbols -> frames: permuted, precoded, whitened; pilots, header, long field
                            |  peaks clipped and filtered, gradients pass
                            v
    response of the frame, drift over it, noise, residual phase
                            |
                            v
    channel estimated from the known cells -> MMSE equaliser -> symbols, variance of each
                                              lost frames       -> erased

Each frame fades on its own, as behind the software channel. A picture of training is small, and a
big one on the air has many frames; so it is cut into several short ones. The decoder gets what the
receiver would tell it, the encoder the mean SNR, some of the time a stale one.

Stands in for :mod:`host.train.link`: ``draw_conditions`` and ``through_link``. Loss of a frame
follows the header's error rate over SNR (``./semcom bench link``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from host.train.link import (
    MISMATCH_DB,
    MISMATCH_SHARE,
    MISTAKEN_SHARE,
    RATE_WEIGHTS,
    TRAIN_SNR_DB,
    through,
)
from host.train.ofdm_waveform import NUMEROLOGY, Waveform, clip_and_filter, estimate, mmse, waveform
from models.jscc import Jscc
from models.rates import RATE_PLANES
from semcom_blocks.phy.acquire import backoff

FRAMES = (1, 2, 4, 8)  # of a picture, one of them for a whole batch
PRECODED_SHARE = 0.8  # of batches: the transmitter's default, which can be switched off
AWGN_SHARE, FLAT_SHARE = 0.3, 0.25  # the rest: exponential profiles
LINE_SHARE = 0.25  # of those that fade: a line of sight, of any strength
SPREAD = (0.2, 3.0)  # RMS delay in samples
TAPS = NUMEROLOGY.cp_len - backoff(NUMEROLOGY)  # none is later than the prefix
HELD_SHARE = 0.5  # realisations of unit power
CLIP_SHARE, CLIP_DB = 0.3, (3.5, 9.0)  # peaks over the mean power
DRIFT_SHARE, DRIFT_TURNS = 0.2, (0.01, 0.15)  # Doppler frequency times the frame's duration
PHASE_SHARE, PHASE_RAD = 0.2, 0.06  # what tracking leaves of phase noise, at most
LOST_SHARE, LOST_MAX = 0.1, 0.4  # frames that never came, of whatever reason
HEADER_DB, HEADER_SPREAD_DB = -4.0, 1.1  # SNR at which half the headers are lost, and how steeply


@dataclass(frozen=True)
class Conditions:
    """What a batch meets.

    planes, encoder_snr_db, fading, snr_db (B,).  response, drift (B,F,n) complex64: of each frame
    in its middle, and its change from begin to end.  clip_db (B,): limit of the peaks, inf for
    none.  phase (B,): standard deviation of an OFDM symbol's phase in rad.  lost (B,F) bool.
    precoded: over the symbols of a frame.
    """

    planes: Tensor
    encoder_snr_db: Tensor
    fading: Tensor
    snr_db: Tensor
    response: Tensor
    drift: Tensor
    clip_db: Tensor
    phase: Tensor
    lost: Tensor
    precoded: bool = True

    def of(self, rows: Tensor, frames: int) -> Conditions:
        """Those of some pictures in fewer frames."""
        tensors = [field.name for field in fields(self) if field.name != "precoded"]
        picked = {name: getattr(self, name)[rows] for name in tensors}
        cut = {name: picked[name][:, :frames] for name in ("response", "drift", "lost")}
        return replace(self, **(picked | cut))


def draw_conditions(shape: tuple[int, int, int, int], generator: torch.Generator) -> Conditions:
    """Draw rates and channels for latents of ``shape`` (B,L,h,w)."""
    batch = shape[0]

    def rand(*size: int) -> Tensor:
        return torch.rand(*size, generator=generator)

    def normal(*size: int) -> Tensor:
        """Circular, of unit variance."""
        return torch.randn(*size, dtype=torch.complex64, generator=generator)

    def within(limits: tuple[float, float]) -> Tensor:
        return limits[0] + (limits[1] - limits[0]) * rand(batch)

    def log_within(limits: tuple[float, float]) -> Tensor:
        return within((math.log(limits[0]), math.log(limits[1]))).exp()

    index = torch.multinomial(torch.tensor(RATE_WEIGHTS), batch, True, generator=generator)
    planes = torch.tensor(RATE_PLANES)[index]
    snr_db = within(TRAIN_SNR_DB)
    stale = rand(batch) < MISMATCH_SHARE
    error = MISMATCH_DB * torch.randn(batch, generator=generator)
    encoder_snr_db = torch.where(stale, snr_db + error, snr_db)
    frames = FRAMES[int(torch.randint(len(FRAMES), (), generator=generator))]

    kind = rand(batch)
    still, flat = kind < AWGN_SHARE, kind < AWGN_SHARE + FLAT_SHARE
    spread = log_within(SPREAD)
    # An endless exponential profile with this ratio of neighbouring taps has that RMS delay.
    ratio = (2 * spread / (1 + (1 + 4 * spread**2).sqrt())) ** 2
    ratio = torch.where(flat, 0.0, ratio)
    power = ratio[:, None] ** torch.arange(TAPS)
    power = power / power.sum(1, keepdim=True)
    line = torch.where(rand(batch) < LINE_SHARE, rand(batch), 0.0)
    line = torch.where(still, 1.0, line)
    fixed = torch.polar(torch.ones(batch, frames), 2 * math.pi * rand(batch, frames))
    scatter = power.clone()
    scatter[:, 0] *= 1 - line
    taps = scatter.sqrt()[:, None] * normal(batch, frames, TAPS)
    taps[:, :, 0] += (line * power[:, 0]).sqrt()[:, None] * fixed
    held = (rand(batch) < HELD_SHARE)[:, None, None]
    norm = torch.linalg.vector_norm(taps, dim=2, keepdim=True)
    taps = torch.where(held, taps / norm.clamp_min(1e-6), taps)
    # Slope of a path over the frame: Clarke's spectrum has the variance (2π f)²/2.
    turns = torch.where(rand(batch) < DRIFT_SHARE, log_within(DRIFT_TURNS), 0.0)
    drift = (2**0.5 * math.pi * turns)[:, None, None] * scatter.sqrt()[:, None]
    drift = drift * normal(batch, frames, TAPS)
    # Windows begin a little early, and clocks do not strike together.
    late = backoff(NUMEROLOGY) + rand(batch)[:, None, None] - 0.5
    turn = torch.from_numpy(NUMEROLOGY.carriers) * (-2 * math.pi / NUMEROLOGY.fft_size)
    steer = torch.polar(torch.ones(()), turn * torch.arange(TAPS)[:, None])  # (TAPS,n)
    delay = torch.polar(torch.ones(()), turn * late)
    response, drift = (taps @ steer) * delay, (drift @ steer) * delay
    strength = (response.real.square() + response.imag.square()).sum(2)
    common = (response.conj() * drift).sum(2).imag / strength.clamp_min(1e-9)
    drift = drift - 1j * common[:, :, None] * response  # the receiver follows the common phase

    clipped = rand(batch) < CLIP_SHARE
    clip_db = torch.where(clipped, within(CLIP_DB), torch.inf)
    phase = torch.where(rand(batch) < PHASE_SHARE, PHASE_RAD * rand(batch), 0.0)
    mean_db = snr_db[:, None] + 10 * torch.log10(strength / NUMEROLOGY.n_used + 1e-9)
    least_db = HEADER_DB + HEADER_SPREAD_DB * torch.randn(batch, frames, generator=generator)
    gone = torch.where(rand(batch) < LOST_SHARE, LOST_MAX * rand(batch), 0.0)
    lost = (mean_db < least_db) | (rand(batch, frames) < gone[:, None])
    fading = (~still | (gone > 0)) ^ (rand(batch) < MISTAKEN_SHARE)
    precoded = bool(torch.rand((), generator=generator) < PRECODED_SHARE)
    return Conditions(
        planes, encoder_snr_db, fading, snr_db, response, drift, clip_db, phase, lost, precoded
    )


def over_frames(
    wave: Waveform, symbols: Tensor, conditions: Conditions, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Symbols complex64 (B,n) → as the receiver gives them, and the variance of each, (B,n) both.

    Symbols of a lost frame are 0 with variance inf; where all frames are lost, none is: of a
    picture that never came there is nothing to learn.
    """
    cells = wave.fill(symbols)
    clipped = conditions.clip_db.isfinite().nonzero()[:, 0]
    if len(clipped):
        field, frame = cells[clipped].split([2, cells.shape[2] - 2], dim=2)
        frame = clip_and_filter(frame, conditions.clip_db[clipped])
        cells = cells.index_copy(0, clipped, torch.cat([field, frame], dim=2))
    way = conditions.response[:, :, None]
    if conditions.drift.any():
        time = torch.linspace(-0.5, 0.5, cells.shape[2])[:, None]
        way = way + time * conditions.drift[:, :, None]
    if conditions.phase.any():
        angle = torch.randn(cells.shape[:3], generator=generator)
        angle = angle * conditions.phase[:, None, None]
        way = way * torch.polar(torch.ones(()), angle)[..., None]
    level = (10 ** (-conditions.snr_db / 20))[:, None, None, None]
    noise = torch.randn(cells.shape, dtype=cells.dtype, generator=generator)
    seen = cells * way + level * noise
    response, noise_var = estimate(seen.detach(), wave)
    factor, gain, error = mmse(response, noise_var)
    got, variance = wave.extract(seen * factor[:, :, None], gain, error)
    lost = conditions.lost & ~conditions.lost.all(1, keepdim=True)
    erased = lost.repeat_interleave(torch.tensor(wave.lengths), 1)[:, wave.order.argsort()]
    return got.masked_fill(erased, 0), variance.masked_fill(erased, torch.inf)


def over_air(
    sent: Tensor, conditions: Conditions, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Latents (B,L,h,w) of unit power → as received, and σ² of each symbol (B,L/2,h,w).

    Symbols go plane by plane and row by row, those of the planes that are sent.
    """
    symbols = torch.complex(sent[:, ::2], sent[:, 1::2])  # (B,L/2,h,w)
    shape, flat = symbols.shape, symbols.flatten(1)
    order, received, noise_var = [], [], []
    for planes in conditions.planes.unique().tolist():
        rows = (conditions.planes == planes).nonzero()[:, 0]
        count = planes * shape[2] * shape[3]
        # No frame without a whole OFDM symbol.
        frames = min(conditions.response.shape[1], max(1, count // NUMEROLOGY.n_data))
        part = conditions.of(rows, frames)
        wave = waveform(count, frames, conditions.precoded)
        got, variance = over_frames(wave, flat[rows, :count], part, generator)
        missing = (0, flat.shape[1] - count)
        order.append(rows)
        received.append(F.pad(got, missing))
        noise_var.append(F.pad(variance, missing, value=torch.inf))
    back = torch.cat(order).argsort()
    arrived = torch.cat(received)[back].view(shape)
    latents = torch.stack([arrived.real, arrived.imag], dim=2).flatten(1, 2)
    return latents, torch.cat(noise_var)[back].view(shape)


def through_link(
    model: Jscc,
    pictures: Tensor,
    conditions: Conditions,
    generator: torch.Generator,
    shared_power: bool = False,
    hardness: float = math.inf,
) -> Tensor:
    """:func:`host.train.link.through` the air of :func:`over_air`."""

    def channel(sent: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(sent.device.type, enabled=False):  # phases of eight bits are none
            return over_air(sent.float(), conditions, generator)

    return through(model, pictures, conditions, channel, shared_power, hardness)
