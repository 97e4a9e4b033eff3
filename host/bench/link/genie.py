# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver that knows everything but the payload and the noise.

It is told where the frame begins, its carrier frequency, the channel and the noise
variance, and runs the same demodulator and equaliser.  What the real receiver loses
against it, on the very same samples, is what synchronisation, tracking and estimation
cost.
"""

from __future__ import annotations

import numpy as np

from host.bench.link.air import Received, Sent
from host.bench.link.paths import Path
from semcom_blocks.phy.demodulator import symbol_starts, to_grid
from semcom_blocks.phy.equalizer import equalize
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.payload import Payload, extract
from semcom_blocks.phy.preamble import long_start

#: Samples either side of a tap over which a delay by a part of a sample rings noticeably.
RINGING = 8


def best_window(path: Path, numerology: Numerology) -> int:
    """By how many samples the FFT windows should begin early, given the channel.

    A window that begins e samples early is free of the neighbours' energy for delays d
    from −e to cp_len − e; what lies x samples beyond spoils in proportion to x, so that the
    e is taken at which Σ |g[d]|² x(d) is least, g the band-limited impulse response.
    """
    delays = np.arange(-RINGING, len(path.taps) + RINGING)
    offsets = delays[:, None] - path.delay - np.arange(len(path.taps))
    # A sinc, tapered: the band's empty edges let it ring less than a full band would.
    taper = np.where(np.abs(offsets) < RINGING, np.cos(np.pi * offsets / (2 * RINGING)) ** 2, 0)
    energy = np.abs((np.sinc(offsets) * taper) @ path.taps) ** 2
    early = np.arange(-numerology.cp_len, numerology.cp_len + 1)[:, None]
    beyond = np.maximum(0, np.maximum(-early - delays, delays + early - numerology.cp_len))
    return int(early[np.argmin(beyond @ energy), 0])


def known_channel(received: Received, sent: Sent, snr_db: float) -> Payload:
    """The payload as a receiver reads it that knows path, timing, CFO and SNR."""
    layout, num = sent.layout, sent.layout.numerology
    early = best_window(received.path, num)
    first = received.start + long_start(num) - early
    starts = first + symbol_starts(layout.n_symbols, num)
    grid = to_grid(received.samples, starts, received.cfo_hz, num)
    response = received.path.response(num, early)
    return extract(equalize(grid, response, float(10 ** (-snr_db / 10))), layout)


def carrier_powers(received: Received, sent: Sent) -> np.ndarray:
    """|H|² on the data carriers, float64 (n_data,)."""
    num = sent.layout.numerology
    return np.abs(received.path.response(num)[num.data_index].astype(np.complex128)) ** 2
