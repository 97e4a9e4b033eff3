# SPDX-License-Identifier: GPL-3.0-or-later
"""All impairments in the order in which a signal meets them."""

from typing import Protocol

import numpy as np

from semcom_blocks.channel.config import ChannelConfig
from semcom_blocks.channel.fading import BlockFading
from semcom_blocks.channel.iq import IqImbalance
from semcom_blocks.channel.noise import WhiteNoise
from semcom_blocks.channel.oscillator import Oscillator
from semcom_blocks.channel.quantizer import Quantizer
from semcom_blocks.channel.resample import Resampler
from semcom_blocks.channel.taps import TappedDelayLine
from semcom_blocks.errors import ConfigError


class Stage(Protocol):
    """One impairment: carries its own state from one piece of the stream to the next."""

    def process(self, samples: np.ndarray) -> np.ndarray:
        """complex64 (n,) → complex64 (n,), or about n where the clock differs."""


class SoftwareChannel:
    """taps → sampling rate offset → CFO and phase noise → noise → IQ and DC → ADC.

    A stream may be cut into pieces of any length: the samples that come out are the same,
    and each impairment has a random stream of its own, so that changing one parameter
    leaves the noise of the others alone.  What is not asked for costs nothing.

    Fading is constant over a block: the constructor draws the first realisation,
    :meth:`start_block` the next one, from the next sample on; call it ahead of each burst.

    Non-finite samples are passed on; none is remembered for longer than the filters are
    long (the taps of the profile, and 32 of the resampler).
    """

    def __init__(self, config: ChannelConfig, rng: np.random.Generator | None = None) -> None:
        self.config = config
        if rng is None:
            rng = np.random.default_rng(config.seed)
        # Generator.spawn is newer than NumPy 1.24.
        entropy = rng.integers(0, 2**32, size=8, dtype=np.uint32)
        children = np.random.SeedSequence(entropy.tolist()).spawn(3)
        fading_rng, oscillator_rng, noise_rng = map(np.random.default_rng, children)

        self._fading = BlockFading(config, fading_rng)
        self._line = TappedDelayLine(self._fading.draw())
        self._stages: list[Stage] = []
        self._memory = self._line.memory
        if config.model != "awgn":
            self._stages.append(self._line)
        if config.sro_ppm:
            self._stages.append(Resampler(config.sro_ppm))
            self._memory += Resampler.memory
        if config.cfo_hz or config.phase_noise_hz:
            oscillator = (config.cfo_hz, config.phase_noise_hz, config.sample_rate_hz)
            self._stages.append(Oscillator(*oscillator, oscillator_rng))
        if config.snr_db is not None:
            self._stages.append(WhiteNoise(config.noise_variance, noise_rng))
        if config.iq_gain_db or config.iq_phase_deg or config.dc_offset_db is not None:
            mixer = (config.iq_gain_db, config.iq_phase_deg, config.dc_offset_db)
            self._stages.append(IqImbalance(*mixer))
        if config.adc_bits is not None:
            self._stages.append(Quantizer(config.adc_bits, config.adc_full_scale))

    @property
    def current_taps(self) -> np.ndarray:
        """Impulse response of this block at the sampling rate: complex64 (K,), a copy."""
        return self._line.taps.copy()

    def start_block(self) -> None:
        """Draw the next fading realisation, which holds from the next sample on."""
        self._line.replace(self._fading.draw())

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Pass the next piece of the stream, of any length.

        complex64 (n,) → complex64 (n,); with a sampling rate offset about n, and the last
        16 samples wait for the next piece.  The input is not changed and not returned.
        Raises :class:`ConfigError` for samples that are not one-dimensional.
        """
        samples = np.array(samples, dtype=np.complex64)
        if samples.ndim != 1:
            raise ConfigError(f"samples have shape {samples.shape}, permitted: one axis")
        # Non-finite samples are legitimate here, and must not become warnings.
        with np.errstate(invalid="ignore", over="ignore"):
            for stage in self._stages:
                samples = stage.process(samples)
        return samples

    def flush(self) -> np.ndarray:
        """What is still under way at the end of a burst: passes as much silence as it takes.

        Afterwards the stream goes on, as after any other piece.
        """
        return self.process(np.zeros(self._memory, dtype=np.complex64))
