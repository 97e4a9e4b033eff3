# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrier offsets, fast: one table of a turning phasor serves every block."""

from __future__ import annotations

import cmath

import numpy as np

from semcom_blocks.phy.phasor import unit_phasor


class Spinner:
    """y[k] = scale e^{j 2 pi (turns + step k)} x[k]; ``step`` in turns a sample."""

    def __init__(self, step: float) -> None:
        self.step = step
        self._table = np.empty(0, dtype=np.complex64)

    def turned(self, samples: np.ndarray, turns: float, scale: complex = 1.0) -> np.ndarray:
        """complex64 (n,) → complex64 (n,), a fresh array."""
        factor = np.complex64(scale * cmath.exp(2j * cmath.pi * (turns % 1.0)))
        if not self.step:
            return samples * factor
        if self._table.size < samples.size:
            self._table = unit_phasor(2 * np.pi * self.step * np.arange(2 * samples.size))
        out = samples * self._table[: samples.size]
        out *= factor
        return out
