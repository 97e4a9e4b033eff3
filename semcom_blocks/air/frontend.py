# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver: levels, thermal noise, mixer, converter and automatic gain.

Levels, near those of an AD936x:

    a full-scale transmitted sine at 0 dB attenuation     +7 dBm
    a received sine of power P at gain g reads            P + g + 10 dBFS
    thermal noise                                         -174 dBm/Hz + noise figure

so that a path of -50 dB at a receive gain of 40 dB reads 7 dB over full scale, less the
transmitter's attenuation.  The converter's own noise, -74 dBFS, is what makes a
low gain bad: at gain 0 it lies 50 dB over the thermal noise of 1 MHz.
"""

from __future__ import annotations

import numpy as np

from semcom_blocks.air.config import DeviceConfig
from semcom_blocks.air.device import ADC_FULL_SCALE, RxPort, Tuning
from semcom_blocks.air.noise import NoiseSource
from semcom_blocks.channel.iq import IqImbalance

TX_FULL_SCALE_DBM = 7.0
#: Power of a sine that just fills the converter at gain 0.
RX_FULL_SCALE_DBM = -10.0
THERMAL_DBM_PER_HZ = -174.0

# Automatic gain: room for the peaks of OFDM, down fast, up slowly, as "slow attack" does.
AGC_TARGET_DBFS = -14.0
AGC_RANGE_DB = (0.0, 71.0)
AGC_DOWN_DB_PER_S = 2000.0
AGC_UP_DB_PER_S = 200.0


def received_dbfs(power_dbm: float, gain_db: float) -> float:
    """Level of a sine of ``power_dbm`` at the antenna, relative to full scale."""
    return power_dbm + gain_db - RX_FULL_SCALE_DBM


def noise_dbfs(noise_figure_db: float, gain_db: float, rate_hz: float) -> float:
    """Mean power of thermal noise per complex sample, relative to a full-scale sine."""
    power_dbm = THERMAL_DBM_PER_HZ + 10 * np.log10(rate_hz) + noise_figure_db
    return received_dbfs(float(power_dbm), gain_db)


class Receiver:
    """One receive channel, from the antenna to integer samples."""

    def __init__(self, config: DeviceConfig, rng: np.random.Generator) -> None:
        self._noise_figure_db = config.noise_figure_db
        mixer = IqImbalance(config.iq_gain_db, config.iq_phase_deg, config.dc_offset_dbfs)
        self._direct, self._image = mixer.direct, mixer.image
        self._dc = mixer.dc * np.float32(ADC_FULL_SCALE)
        self._noise = NoiseSource(rng)
        self._gain_db: float | None = None  # what automatic gain has come to

    def process(
        self, antenna: np.ndarray | None, n: int, tuning: Tuning, rate_hz: float
    ) -> np.ndarray:
        """complex64 (n,), |1|² = 1 mW, overwritten; None is silence → int16 (2 n,)."""
        noise = noise_dbfs(self._noise_figure_db, tuning.gain_db, rate_hz)
        codes = self._noise.draw(2 * n)
        codes *= np.float32(ADC_FULL_SCALE * 10 ** (noise / 20) * np.sqrt(0.5))
        if antenna is not None:
            reads = received_dbfs(0.0, tuning.gain_db)
            parts = antenna.view(np.float32)
            parts *= np.float32(ADC_FULL_SCALE * 10 ** (reads / 20))
            codes += parts
        if self._image != 0 or self._dc != 0:
            signal = codes.view(np.complex64)
            mixed = self._direct * signal
            if self._image != 0:
                mixed += self._image * signal.conj()
            mixed += self._dc
            codes = mixed.view(np.float32)
        if tuning.agc:
            self._control(codes, tuning.gain_db, n / rate_hz)
        np.rint(codes, out=codes)
        np.clip(codes, -ADC_FULL_SCALE, ADC_FULL_SCALE, out=codes)
        return codes.astype(np.int16)

    def settle(self, port: RxPort) -> None:
        """Lock held: show on ``port`` the gain that the automatic one has come to."""
        if self._gain_db is not None and port.tuning.agc:
            port.tuning.gain_db = float(round(self._gain_db))
        else:
            self._gain_db = None

    def _control(self, codes: np.ndarray, gain_db: float, seconds: float) -> None:
        """Move the gain towards the target level; ``codes`` before they are clipped."""
        power = 2 * float(np.vdot(codes, codes)) / codes.size
        level_dbfs = 10 * np.log10(max(power, 1e-3) / ADC_FULL_SCALE**2)
        wanted = AGC_TARGET_DBFS - level_dbfs
        step = np.clip(wanted, -AGC_DOWN_DB_PER_S * seconds, AGC_UP_DB_PER_S * seconds)
        # Its own fraction of a decibel is kept, unless the driver has set another gain.
        before = self._gain_db
        if before is None or abs(before - gain_db) > 1:
            before = gain_db
        self._gain_db = float(np.clip(before + step, *AGC_RANGE_DB))
