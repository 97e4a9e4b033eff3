# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels without end, and what a receiver's pilots show of them, in whole arrays.

The model works on the carriers. With paths of delay d, power p and amplitude a, the response is

    H[k] = Σ_l g(d_l) a_l exp(−j 2π k d_l / N)

and LS over a frame's known cells is H with white noise of variance σ²/w, w being how many known
cells the carrier has (all are of unit power). A path that is late by x samples more than the prefix
has only g = 1 − x/N of its energy in the window, and the rest, 1 − g², comes in as noise. Under
Doppler a path drifts by a Gaussian step over the frame, with the slope of Clarke's spectrum: comb
carriers, seen all the time, and the others, seen in the known symbols alone, then show different
means, and what is wanted is that over the payload.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from models.channel.observed import Observed
from semcom_blocks.channel.profile import TRUNCATION_DB
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.geometry import frame_geometry
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.phy.phasor import unit_phasor
from semcom_blocks.phy.preamble import LONG_SYMBOLS, preamble_len

SNR_DB = (-5.0, 30.0)
#: Share of a batch's draws, and numerology. Known covariances are kept for eight of them.
NUMEROLOGIES = (
    (0.60, Numerology()),
    (0.08, Numerology(64, 16, 48, 8)),
    (0.06, Numerology(64, 8, 36, 4)),
    (0.06, Numerology(64, 32, 60, 10)),
    (0.05, Numerology(64, 16, 16, 4)),
    (0.10, Numerology(128, 32, 104, 8)),
    (0.05, Numerology(256, 64, 200, 10)),
)
#: Shares of profiles: exponential a sample apart (as the software channel), one path, many paths.
KINDS = (0.42, 0.16, 0.42)
MAX_PATHS = 24
MAX_TAPS = 64  # of an exponential profile
MAX_DATA_SYMBOLS = 600
LATE_SHARE, DOPPLER_SHARE, HELD_SHARE, LINE_SHARE = 0.15, 0.25, 0.5, 0.3
DOPPLER_TURNS = (0.01, 0.25)  # Doppler frequency times the frame's duration


@dataclass(frozen=True)
class Paths:
    """Profiles of B channels: ``delays`` in samples from the window on, and ``powers`` of unit
    sum, float (B,L); ``line`` (B,) is the share of the first path's power that does not fade."""

    delays: np.ndarray
    powers: np.ndarray
    line: np.ndarray


@dataclass(frozen=True)
class Drawn:
    """``true`` complex64 (B,n), what is ``observed`` of it with ``freedom`` (B,) degrees of freedom
    in the noise, the ``error_var`` (B,) that LS really has, and the ``paths`` behind it."""

    true: np.ndarray
    observed: Observed
    freedom: np.ndarray
    error_var: np.ndarray
    paths: Paths


@dataclass(frozen=True)
class Frames:
    """Known cells of B frames: ``rows`` known on all carriers and ``data`` symbols, int (B,)."""

    rows: np.ndarray
    data: np.ndarray

    def weight(self, numerology: Numerology) -> np.ndarray:
        """Known cells of each carrier, float32 (B,n)."""
        weight = np.repeat(self.rows[:, None], numerology.n_used, axis=1).astype(np.float32)
        weight[:, numerology.comb_index] += self.data[:, None]
        return weight


@lru_cache(maxsize=4096)
def _known_rows(numerology: Numerology, n_data: int) -> int:
    geometry = frame_geometry(numerology, n_data)
    return LONG_SYMBOLS + geometry.n_header + int(np.count_nonzero(geometry.block_mask))


def frames_of(numerology: Numerology, data: np.ndarray) -> Frames:
    """The known cells of frames with so many data symbols."""
    rows = np.array([_known_rows(numerology, int(n)) for n in data])
    return Frames(rows, np.asarray(data))


def draw_frames(numerology: Numerology, count: int, rng: np.random.Generator) -> Frames:
    """Frames from an acknowledgement to the longest."""
    room = MAX_FRAME_SAMPLES - preamble_len(numerology)
    most = min(MAX_DATA_SYMBOLS, int(0.9 * room / numerology.symbol_len) - 20)
    return frames_of(numerology, np.exp(rng.uniform(0, np.log(most + 1), count)).astype(int))


def _log_uniform(rng: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), count))


def exponential_paths(spreads: np.ndarray, most: int = MAX_TAPS) -> Paths:
    """Taps a sample apart with the RMS delays ``spreads`` > 0, truncated as the software channel's;
    the first at 0."""
    root = 2 * spreads / (1 + np.sqrt(1 + 4 * spreads**2))
    decay_db = 20 * np.log10(root)[:, None] * np.arange(most)
    powers = np.where(decay_db > TRUNCATION_DB, 10 ** (decay_db / 10), 0)
    powers /= powers.sum(axis=1, keepdims=True)
    delays = np.broadcast_to(np.arange(most, dtype=float), powers.shape)
    return Paths(delays, powers, np.zeros(len(spreads)))


def draw_paths(numerology: Numerology, count: int, rng: np.random.Generator) -> Paths:
    """Profiles of all kinds, from one path to spreads beyond the prefix, where the synchroniser
    leaves them."""
    cp = numerology.cp_len
    kind = rng.choice(len(KINDS), count, p=KINDS)
    delays, powers = np.zeros((2, count, MAX_TAPS))
    powers[:, 0] = 1.0
    line = np.zeros(count)

    rows = np.flatnonzero(kind == 0)
    found = exponential_paths(_log_uniform(rng, 0.1, min(cp / 2, 9.0), len(rows)))
    delays[rows], powers[rows] = found.delays, found.powers

    rows = np.flatnonzero(kind == 2)
    size = (len(rows), MAX_PATHS)
    span = _log_uniform(rng, 0.3, 1.1 * cp, len(rows))[:, None]
    at = np.sort(rng.random(size) * span, axis=1)
    at -= at[:, :1]
    fall = rng.uniform(0.15, 1.5, (len(rows), 1)) * span
    strength = np.exp(-at / fall) * 10 ** (0.5 * rng.standard_normal(size))
    # In every third the first path leads, and what follows is weak.
    lead = (rng.random((len(rows), 1)) < 1 / 3) * rng.uniform(0.5, 2.5, (len(rows), 1))
    strength[:, 1:] *= 10**-lead
    strength *= np.arange(MAX_PATHS) < 1 + rng.integers(0, MAX_PATHS, (len(rows), 1)) ** 2 / 24
    delays[rows, :MAX_PATHS] = at
    powers[rows, :MAX_PATHS] = strength / strength.sum(axis=1, keepdims=True)

    # A line of sight: always there with a single path that does not fade, else a part of the first.
    line[(kind == 1) & (rng.random(count) < 0.5)] = 1.0
    lit = rng.random(count) < LINE_SHARE
    line[lit & (kind == 2)] = rng.uniform(0.5, 1.0, int(np.count_nonzero(lit & (kind == 2))))
    return arrive(Paths(delays, powers, line), numerology, rng)


def arrive(paths: Paths, numerology: Numerology, rng: np.random.Generator) -> Paths:
    """Delays counted from the FFT window on, which the synchroniser places a little early."""
    count = len(paths.delays)
    early = backoff(numerology) + rng.uniform(-1, 1, count)
    missed = rng.random(count) < LATE_SHARE  # a first path too weak to be seen, or a false one
    early += missed * rng.uniform(-backoff(numerology), numerology.cp_len / 3, count)
    return replace(paths, delays=paths.delays + early[:, None])


def draw_snr_db(count: int, rng: np.random.Generator) -> np.ndarray:
    """Mean Es/N0 of a cell for a channel of mean power 1."""
    return rng.uniform(*SNR_DB, count)


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard complex normal, complex64."""
    parts = rng.standard_normal((*shape, 2), dtype=np.float32) * np.float32(np.sqrt(0.5))
    return parts.view(np.complex64)[..., 0]


def steering(delays: np.ndarray, numerology: Numerology) -> np.ndarray:
    """exp(−j 2π k d / N), complex64 (B,n,L)."""
    turn = -2 * np.pi / numerology.fft_size * numerology.carriers
    return unit_phasor(turn[:, None] * delays[:, None, :])


def window_share(delays: np.ndarray, numerology: Numerology) -> np.ndarray:
    """g: share of a path's amplitude that lies in the FFT window it belongs to."""
    late = np.maximum(delays - numerology.cp_len, 0) + np.maximum(-delays, 0)
    return np.clip(1 - late / numerology.fft_size, 0, 1)


def observe(
    numerology: Numerology,
    paths: Paths,
    frames: Frames,
    snr_db: np.ndarray,
    rng: np.random.Generator,
    *,
    held: np.ndarray | bool = False,
    doppler_turns: np.ndarray | float = 0.0,
) -> Drawn:
    """Draw the fading and the noise of B frames over ``paths``.

    ``held`` (B,): divide each realisation by its norm.  ``doppler_turns`` (B,): Doppler frequency
    times the duration of the frame.
    """
    count, n_paths = paths.delays.shape
    amplitude = np.sqrt(paths.powers) * _normal(rng, count, n_paths)
    fixed = np.sqrt(paths.powers[:, 0]) * np.exp(2j * np.pi * rng.random(count))
    amplitude[:, 0] *= np.sqrt(1 - paths.line)
    amplitude[:, 0] += np.sqrt(paths.line) * fixed
    norm = np.sqrt(np.sum(np.abs(amplitude) ** 2, axis=1, keepdims=True))
    amplitude = np.where(np.reshape(held, (-1, 1)), amplitude / np.maximum(norm, 1e-9), amplitude)
    share = window_share(paths.delays, numerology)
    lost = np.sum(np.abs(amplitude) ** 2 * (1 - share**2), axis=1)
    # Slope of a path over the frame: Clarke's spectrum has the variance (2π f)²/2.
    turns = np.broadcast_to(np.asarray(doppler_turns, float), (count,))
    drift = (np.sqrt(2) * np.pi * turns)[:, None] * np.sqrt(paths.powers)
    drift = drift * _normal(rng, count, n_paths)
    ways = np.stack((share * amplitude, share * drift), axis=2).astype(np.complex64)
    response, slope = np.moveaxis(steering(paths.delays, numerology) @ ways, 2, 0)

    weight = frames.weight(numerology)
    total = np.maximum(frames.rows + frames.data, 1)
    # Half the known rows are the preamble and header, which come first; the payload's middle is 0.
    before = -0.5 * np.minimum(1.0, 7 / total)
    seen = before[:, None] * (frames.rows[:, None] / weight)
    moved = (np.abs(slope) ** 2).mean(axis=1) / 12
    cell_var = 10 ** (-np.asarray(snr_db) / 10) + lost + moved
    error = np.sqrt(cell_var[:, None] / weight) * _normal(rng, count, numerology.n_used)
    ls = (response + seen * slope + error).astype(np.complex64)
    freedom = frames.rows * numerology.n_used + frames.data * numerology.n_comb - numerology.n_used
    estimated = cell_var * rng.gamma(freedom) / freedom
    observed = Observed.of(ls, weight, estimated, numerology)
    return Drawn(response, observed, freedom, np.mean(cell_var[:, None] / weight, axis=1), paths)


def draw(numerology: Numerology, count: int, rng: np.random.Generator) -> Drawn:
    """A batch of everything at once, as the networks are trained on."""
    low, high = np.log(DOPPLER_TURNS)
    turns = np.exp(rng.uniform(low, high, count)) * (rng.random(count) < DOPPLER_SHARE)
    return observe(
        numerology,
        draw_paths(numerology, count, rng),
        draw_frames(numerology, count, rng),
        draw_snr_db(count, rng),
        rng,
        held=rng.random(count) < HELD_SHARE,
        doppler_turns=turns,
    )


def genie(drawn: Drawn) -> np.ndarray:
    """LMMSE that knows delays, mean powers and noise of each channel, complex64 (B,n)."""
    num = drawn.observed.numerology
    paths = drawn.paths
    ways = steering(paths.delays, num) * window_share(paths.delays, num)[:, None]
    covariance = (ways * paths.powers[:, None]) @ np.conj(np.swapaxes(ways, 1, 2))
    mean = np.mean(1 / drawn.observed.weight, axis=1)
    error = (drawn.error_var / mean)[:, None] / drawn.observed.weight
    noisy = covariance + error[:, None] * np.eye(num.n_used)
    solved = np.linalg.solve(noisy, drawn.observed.ls[..., None].astype(complex))
    return (covariance @ solved)[..., 0].astype(np.complex64)


def least_error(drawn: Drawn) -> np.ndarray:
    """About the mean squared error of :func:`genie`, float (B,): with ε the error of a tap,

        Σ_l p_l ε / (p_l + ε),     ε = error_var / n,

    the paths of one sample taken together, and at least that of one path."""
    num = drawn.observed.numerology
    count = len(drawn.true)
    # One bin for each delay that the occupied band resolves.
    bins = np.rint(drawn.paths.delays * num.n_used / num.fft_size).astype(int) % num.n_used
    powers = np.zeros((count, num.n_used))
    np.add.at(powers, (np.arange(count)[:, None], bins), drawn.paths.powers)
    error = (drawn.error_var / num.n_used)[:, None]
    return np.maximum(np.sum(powers * error / (powers + error), axis=1), error[:, 0])
