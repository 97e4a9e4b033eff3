# SPDX-License-Identifier: GPL-3.0-or-later
"""Equalised grid to payload: a prompt packet's bytes and analog symbols."""

from dataclasses import dataclass

import numpy as np

from semcom_blocks.phy import coding, qam
from semcom_blocks.phy.equalizer import Equalized
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.precoding import mean_error, unmix


@dataclass(frozen=True)
class Payload:
    """What a frame carried.

    ``digital`` are the decoded bytes (not yet checked: the packet has its own
    CRC-32), ``analog`` complex64 (n,) with the complex error variance of each
    symbol, ``noise_var`` float32 (n,), those of several streams one after another as in
    ``chunks`` of the header; ``symbols`` complex64 are the equalised digital symbols, for
    displays.
    """

    digital: bytes
    analog: np.ndarray
    noise_var: np.ndarray
    symbols: np.ndarray


def extract(equalized: Equalized, layout: FrameLayout) -> Payload:
    """De-interleave, demap and decode the payload cells of a frame, ``frame`` precoding undone."""
    header, used, n_digital = layout.header, layout.used, layout.n_digital
    symbols = equalized.cells.reshape(-1).take(used.cells)
    symbols *= used.unwhitening
    noise_var = equalized.noise_var.take(used.carriers)
    digital, points = b"", symbols[:n_digital]
    if header.digital_bytes:
        gain = equalized.gain.take(used.carriers[:n_digital])
        # Without the bias of the MMSE gain the error is the noise alone.
        noise = noise_var[:n_digital] - (1 - gain) ** 2
        noise = np.maximum(noise / gain**2, np.float32(1e-9))
        points = points / gain
        llr = qam.demodulate(points, noise, header.bits_per_symbol)
        coded = coding.coded_length(8 * header.digital_bytes)
        digital = coding.bits_to_bytes(coding.decode(llr[:coded]))
    analog, error = symbols[n_digital:], noise_var[n_digital:]
    if header.precoding == "frame" and len(analog):
        mean, error[:] = mean_error(equalized.gain.take(used.carriers[n_digital:]), error)
        analog = unmix(analog / mean)
    return Payload(digital, analog, error, points)
