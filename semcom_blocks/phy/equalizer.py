# SPDX-License-Identifier: GPL-3.0-or-later
"""One-tap equalisation with the noise variance of every cell.

    zf     x = Y / H                                   noise σ²/|H|²
    mmse   x = g conj(H) Y / (|H|² + σ²)               g so that the mean gain is 1

Zero-forcing is unbiased on every carrier but amplifies noise without bound in a
fade; MMSE attenuates faded carriers instead.  Its common amplitude bias would
dim an analog picture, so it is divided out; on a flat channel the two are
identical.
"""

from dataclasses import dataclass

import numpy as np

from semcom_blocks.errors import require_choice
from semcom_blocks.phy.bands import ANALOG
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.precoding import mean_error, undo

#: Names that :func:`equalize` takes.
METHODS = ("zf", "mmse")


@dataclass(frozen=True)
class Equalized:
    """Equalised cells.

    ``cells`` complex64 (m, n_used); ``gain`` float32 (n_used,), the real factor
    that a sent value still carries (1 for ZF, mean 1 for MMSE); ``noise_var``
    float32 (n_used,), complex variance of the error cells − sent value, for
    unit-power values.
    """

    cells: np.ndarray
    gain: np.ndarray
    noise_var: np.ndarray


def equalize(
    received: np.ndarray, response: np.ndarray, noise_var: float, method: str = "mmse"
) -> Equalized:
    """Equalise cells complex64 (m, n_used) by a response complex64 (n_used,).

    Raises :class:`ConfigError` for an unknown ``method``.
    """
    weight, gain, error = _weights(response, noise_var, method)
    return Equalized(received * weight, gain, error)


def equalize_frame(
    grid: np.ndarray,
    response: np.ndarray,
    noise_var: float,
    layout: FrameLayout,
    method: str = "mmse",
) -> Equalized:
    """Equalise the grid of a frame, complex64 (n_symbols, n_used); bands and ``dft`` undone.

    On the carriers of band b the channel is a_b H, and the mean gain is 1 within the band.  QAM
    is not attenuated: a faded carrier's points would leave their decision regions, while the
    reported variance says as well what they are worth.  ``gain`` and ``noise_var`` are those of
    the payload.  Raises :class:`ConfigError` for an unknown ``method``.
    """
    bands, geometry = layout.header.bands, layout.bands
    if bands is None or geometry is None:
        equalized = equalize(grid, response, noise_var, method)
        return _single_carrier(equalized, layout) if layout.has_single_carrier else equalized
    weight, gain, error = _weights(response, noise_var, method)
    cells = grid * weight
    amplitudes = bands.amplitudes(layout.numerology)
    for band, index, amplitude in zip(bands.bands, geometry.index, amplitudes, strict=True):
        way = method if band.bits_per_symbol == ANALOG else "zf"
        weight[index], gain[index], error[index] = _weights(
            amplitude * response[index], noise_var, way
        )
    cells[geometry.rows] = grid[geometry.rows] * weight
    return Equalized(cells, gain, error)


def _single_carrier(equalized: Equalized, layout: FrameLayout) -> Equalized:
    """What the data carriers of each symbol were the transform of; all have one error variance."""
    cells, index = equalized.cells, layout.numerology.data_index
    mean, error = mean_error(equalized.gain[index], equalized.noise_var[index])
    cells[layout.data_cells] = undo(cells[layout.data_cells] / mean)
    gain, noise_var = equalized.gain.copy(), equalized.noise_var.copy()
    gain[index], noise_var[index] = 1, error
    return Equalized(cells, gain, noise_var)


def _weights(
    response: np.ndarray, noise_var: float, method: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factor complex64, gain float32 and error variance float32 of each carrier, (n,) each."""
    require_choice("equalizer", method, METHODS)
    power = np.maximum(response.real**2 + response.imag**2, 1e-12).astype(np.float32)
    if method == "zf":
        gain = np.ones_like(power)
    else:
        gain = power / (power + np.float32(noise_var))
        gain /= gain.mean()
    weight = (gain * np.conj(response) / power).astype(np.complex64)
    error = gain**2 * np.float32(noise_var) / power + (1 - gain) ** 2
    return weight, gain, error.astype(np.float32)
