# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver's mixer: imbalance of its two branches, and DC."""

import numpy as np


class IqImbalance:
    """y = mu x + nu x* + dc.

    mu = (1 + g exp(-j phi)) / 2 and nu = (1 - g exp(j phi)) / 2, both divided by
    sqrt(|mu|² + |nu|²) so that the mean power of a proper signal stays, with ``g`` the
    gain of the Q branch over the I branch and ``phi`` its departure from quadrature.
    The image of a tone at f appears at -f, :attr:`image_rejection_db` below it.
    The constant has ``dc_offset_db`` of power relative to 1, half in each branch.

    Source: M. Valkama, M. Renfors, V. Koivunen, "Advanced methods for I/Q imbalance
    compensation in communication receivers", IEEE Trans. Signal Process. 49, 2001.
    """

    def __init__(self, gain_db: float, phase_deg: float, dc_offset_db: float | None) -> None:
        gain, phase = 10 ** (gain_db / 20), np.deg2rad(phase_deg)
        direct = (1 + gain * np.exp(-1j * phase)) / 2
        image = (1 - gain * np.exp(1j * phase)) / 2
        norm = np.hypot(abs(direct), abs(image))
        self.direct = np.complex64(direct / norm)
        self.image = np.complex64(image / norm)
        self.dc = np.complex64(0)
        if dc_offset_db is not None:
            self.dc = np.complex64(10 ** (dc_offset_db / 20) * (1 + 1j) / np.sqrt(2))

    @property
    def image_rejection_db(self) -> float:
        """10 log10(|mu|² / |nu|²), infinite for a perfect mixer."""
        if self.image == 0:
            return float("inf")
        return float(20 * np.log10(abs(self.direct) / abs(self.image)))

    def process(self, samples: np.ndarray) -> np.ndarray:
        """complex64 (n,) → complex64 (n,)."""
        if self.image != 0:
            samples = self.direct * samples + self.image * samples.conj()
        return samples + self.dc
