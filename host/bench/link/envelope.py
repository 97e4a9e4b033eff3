# SPDX-License-Identifier: GPL-3.0-or-later
"""The transmit signal: peak power, occupied bandwidth, and what limiting the peaks costs.

Peaks are read between the samples as well, on the signal at four times the rate (ideal
interpolation), as an amplifier sees them.  The error is that of the data cells of the
limited signal, with nothing else in the way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from host.bench.link import air
from host.bench.link.intervals import mean
from semcom_blocks.phy import measure as figures
from semcom_blocks.phy.demodulator import symbol_starts, to_grid
from semcom_blocks.phy.modulator import TransmitLevel
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_start, preamble_len

OVERSAMPLING = 4
#: Probability at which the PAPR is read.
CCDF = 1e-3
#: Samples of a frame: 65 peaks beyond the CCDF point at the Nyquist rate.
FRAME_SAMPLES = 65_536
#: SNR in dB at which the error's cost to analog symbols is stated.
COST_AT_DB = (10.0, 20.0)
#: Levels over the mean power of the complementary distribution, in dB.
LEVELS_DB = np.arange(0.0, 13.01, 0.25)
CHUNK = 4


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    papr_limit_db: float | None = None,
) -> dict[str, np.ndarray]:
    """Per frame, float64 (n_frames,): figures of the payload's time signal.

    ``papr_db`` at the sample rate, ``papr_oversampled_db``, ``bandwidth_hz`` (99 %),
    ``evm_db``, and ``ccdf`` (n_frames, len(LEVELS_DB)) of the oversampled signal.
    """
    n_analog = air.longest_analog(numerology, FRAME_SAMPLES)
    level = TransmitLevel(papr_limit_db=papr_limit_db)
    rows = {
        name: np.empty(n_frames)
        for name in ("papr_db", "papr_oversampled_db", "bandwidth_hz", "evm_db")
    }
    ccdf = np.empty((n_frames, len(LEVELS_DB)))
    for index in range(n_frames):
        sent = air.build(numerology, air.gaussian(rng, n_analog), level=level)
        payload = sent.samples[preamble_len(numerology) :]
        fine = _interpolate(payload)
        rows["papr_db"][index] = figures.papr_db(payload, CCDF)
        rows["papr_oversampled_db"][index] = figures.papr_db(fine, CCDF)
        rows["bandwidth_hz"][index] = figures.occupied_bandwidth_hz(
            payload, numerology.sample_rate_hz
        )
        rows["evm_db"][index] = _evm_db(sent, numerology)
        power = np.abs(fine) ** 2
        limits = power.mean() * 10 ** (LEVELS_DB / 10)
        ccdf[index] = 1 - np.searchsorted(np.sort(power), limits) / len(power)
    return {**rows, "ccdf": ccdf}


def _interpolate(samples: np.ndarray) -> np.ndarray:
    """The signal at :data:`OVERSAMPLING` times the rate, by zeros in frequency."""
    n = len(samples) // 2 * 2
    spectrum = scipy.fft.fftshift(scipy.fft.fft(samples[:n]))
    pad = n * (OVERSAMPLING - 1) // 2
    return scipy.fft.ifft(scipy.fft.ifftshift(np.pad(spectrum, pad))) * OVERSAMPLING


def _evm_db(sent: air.Sent, numerology: Numerology) -> float:
    """EVM of the data cells of the payload as sent, best common gain taken off."""
    starts = long_start(numerology) + symbol_starts(sent.layout.n_symbols, numerology)
    grid = to_grid(sent.samples.copy(), starts, 0.0, numerology)
    rows = sent.layout.data_rows[:, None]
    cells = grid[rows, numerology.data_index]
    true = sent.grid[rows, numerology.data_index]
    gain = np.vdot(true, cells) / np.vdot(true, true)
    return figures.evm_db(cells / gain, true)


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """Means over the frames; the cost in dB of a 1/(1/SNR + EVM²) for analog symbols."""
    evm = 10 ** (raw["evm_db"].mean() / 10)
    cost = {
        f"cost_at_{at_db:g}_db_db": float(10 * np.log10(1 + evm * 10 ** (at_db / 10)))
        for at_db in COST_AT_DB
    }
    return {
        "frames": len(raw["papr_db"]),
        **mean(raw["papr_db"]).keys("papr_db"),
        **mean(raw["papr_oversampled_db"]).keys("papr_oversampled_db"),
        **mean(raw["bandwidth_hz"]).keys("bandwidth_hz"),
        **mean(raw["evm_db"]).keys("evm_db"),
        **cost,
        "ccdf_level_db": LEVELS_DB.tolist(),
        "ccdf": raw["ccdf"].mean(axis=0).tolist(),
    }
