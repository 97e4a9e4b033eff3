# SPDX-License-Identifier: GPL-3.0-or-later
"""The analog-to-digital converter."""

import numpy as np


class Quantizer:
    """Uniform mid-rise quantisation of each branch to ``2 ** bits`` levels, and clipping.

        step = 2 full_scale / 2**bits,   y = (clip(floor(x / step)) + 1/2) step

    A full-scale sine comes out with a signal-to-quantisation-noise ratio of
    6.02 bits + 1.76 dB.  There is no level at zero: silence comes out as half a step.
    Infinite input clips; NaN stays NaN, for the guard behind the source to find.

    Source: W. R. Bennett, "Spectra of quantized signals", Bell Syst. Tech. J. 27, 1948.
    """

    def __init__(self, bits: int, full_scale: float) -> None:
        self.step = np.float32(2 * full_scale / 2**bits)
        self._lowest = np.float32(-(2 ** (bits - 1)))
        self._highest = np.float32(2 ** (bits - 1) - 1)

    def process(self, samples: np.ndarray) -> np.ndarray:
        """complex64 (n,) → complex64 (n,)."""
        # interleaved real and imaginary parts: (2 n,)
        codes = np.floor(samples.view(np.float32) / self.step)
        np.clip(codes, self._lowest, self._highest, out=codes)
        codes += np.float32(0.5)
        codes *= self.step
        return codes.view(np.complex64)
