# SPDX-License-Identifier: GPL-3.0-or-later
"""Equalised grid to payload: a prompt packet's bytes and analog symbols."""

from dataclasses import dataclass

import numpy as np

from semcom_blocks.phy import coding, qam
from semcom_blocks.phy.equalizer import Equalized
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.interleave import deinterleave, permutation


@dataclass(frozen=True)
class Payload:
    """What a frame carried.

    ``digital`` are the decoded bytes (not yet checked: the packet has its own
    CRC-32), ``analog`` complex64 (n,) with the complex error variance of each
    symbol, ``noise_var`` float32 (n,); ``symbols`` complex64 are the equalised
    digital symbols, for displays.
    """

    digital: bytes
    analog: np.ndarray
    noise_var: np.ndarray
    symbols: np.ndarray


def extract(equalized: Equalized, layout: FrameLayout) -> Payload:
    """De-interleave, demap and decode the payload cells of a frame."""
    num, header = layout.numerology, layout.header
    if layout.n_cells == 0:
        empty = np.zeros(0, np.complex64)
        return Payload(b"", empty, np.zeros(0, np.float32), empty)
    rows = layout.data_rows
    symbols = deinterleave(equalized.cells[rows[:, None], num.data_index].reshape(-1))
    carrier = num.data_index[permutation(layout.n_cells) % num.n_data]
    stop = layout.n_digital + header.analog_symbols
    digital, points = b"", symbols[: layout.n_digital]
    if header.digital_bytes:
        gain = equalized.gain[carrier[: layout.n_digital]]
        # Without the bias of the MMSE gain the error is the noise alone.
        noise = equalized.noise_var[carrier[: layout.n_digital]] - (1 - gain) ** 2
        noise = np.maximum(noise / gain**2, np.float32(1e-9))
        points = points / gain
        llr = qam.demodulate(points, noise, header.bits_per_symbol)
        coded = coding.coded_length(8 * header.digital_bytes)
        digital = np.packbits(coding.decode(llr[:coded])).tobytes()
    analog = slice(layout.n_digital, stop)
    return Payload(digital, symbols[analog], equalized.noise_var[carrier[analog]], points)
