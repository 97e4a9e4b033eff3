# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct what a direct-conversion front end does to samples: DC offset and image.

A mixer whose branches differ makes z into mu z + nu z*, and adds a constant d.  With
k = -nu / mu* (receiver) or -nu / mu (transmitter) the image goes away:

    receiver     y = (x - d) + k (x - d)*
    transmitter  y = g s + k (g s)* - c

Source: L. Anttila, M. Valkama, M. Renfors, "Circularity-based I/Q imbalance compensation in
wideband direct-conversion receivers", IEEE Trans. Veh. Technol. 57, 2008.
"""

import numpy as np


def correct(samples: np.ndarray, conjugate: complex, offset: complex) -> np.ndarray:
    """What a receiver took without its offset and image, complex64 (n,) → complex64 (n,)."""
    centred = samples - np.complex64(offset)
    return centred + np.complex64(conjugate) * centred.conj()


def predistort(
    samples: np.ndarray, gain: float, conjugate: complex = 0.0, offset: complex = 0.0
) -> tuple[np.ndarray, int]:
    """Samples for a transmitter of full scale 1, complex64 (n,), and how many were clipped.

    ``gain`` scales; each branch is clipped at full scale, where a converter would wrap round.
    """
    scaled: np.ndarray = samples * np.float32(gain)
    if conjugate or offset:
        scaled = scaled + np.complex64(conjugate) * scaled.conj() - np.complex64(offset)
    branches = np.ascontiguousarray(scaled, np.complex64).view(np.float32)
    over = np.abs(branches) > 1.0
    clipped = int(np.count_nonzero(over[0::2] | over[1::2]))
    if clipped:
        branches = np.clip(branches, -1.0, 1.0)
    return branches.view(np.complex64), clipped
