# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parameter of the software channel, validated whole."""

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from semcom_blocks.errors import ConfigError, require_choice, require_range

CHANNEL_MODELS = ("awgn", "rayleigh", "multipath")

# The impulse response holds about 7 taps per sample of delay spread, and each sample
# costs one multiplication per tap.
MAX_DELAY_SPREAD_SAMPLES = 100.0

# Permitted range of each number, and why it ends there.
_RANGES: dict[str, tuple[float, float]] = {
    "snr_db": (-30.0, 60.0),  # beyond, complex64 and the resampler are the noise
    "sro_ppm": (-200.0, 200.0),  # four times a bad crystal at each end
    "delay_spread_s": (0.0, 1e-3),  # and MAX_DELAY_SPREAD_SAMPLES
    "phase_noise_hz": (0.0, 1e5),  # above, no carrier is left to speak of
    "iq_gain_db": (-10.0, 10.0),  # uncalibrated mixers stay below 3 dB
    "iq_phase_deg": (-45.0, 45.0),  # at 90 degrees one branch is gone
    "dc_offset_db": (-100.0, 20.0),  # receivers must survive +10 dB
    "adc_bits": (1, 16),  # of the converters in software radios
    "adc_full_scale": (1e-3, 1e3),  # of a signal of unit power
    "sample_rate_hz": (1e3, 1e9),
    "symbol_energy": (1e-2, 1e4),  # fft_size / used carriers is at least 1
    "seed": (0, 2**63 - 1),
}
_MAY_BE_NONE = ("snr_db", "dc_offset_db", "adc_bits")
_INTEGERS = ("adc_bits", "seed")


@dataclass(frozen=True)
class ChannelConfig:
    """What happens to the samples between transmitter and receiver.

    model           "awgn" (no fading), "rayleigh" (one tap, flat) or "multipath"
                    (exponential power-delay profile), both block fading
    snr_db          Es/N0 of a complex data symbol after the FFT, for a transmitted signal of
                    unit power: complex noise variance a sample
                    ``symbol_energy * 10 ** (-snr_db / 10)``; None is noiseless
    cfo_hz          carrier frequency offset, positive moves the spectrum up; up to half the rate
    sro_ppm         sampling rate offset, positive when the receiver's clock is the faster one,
                    so that it takes more samples than were sent
    delay_spread_s  RMS delay spread of "multipath"
    hold_power      normalise each realisation to unit power, instead of the mean only
    phase_noise_hz  3 dB linewidth of a Wiener oscillator
    iq_gain_db      gain of the Q branch over the I branch
    iq_phase_deg    departure of the two branches from quadrature
    dc_offset_db    power of a constant at the converter relative to unit power; None is off
    adc_bits        resolution of each branch; None is no converter
    adc_full_scale  amplitude at which each branch clips; the default is 15 dB over the RMS
                    amplitude of a branch at unit power, so OFDM peaks pass
    sample_rate_hz  of the transmitter; all frequencies and times count with it
    symbol_energy   mean |X|² of a used carrier for a time signal of unit power under a
                    unitary FFT: fft_size / number of used carriers
    seed            of the generator, unless the caller passes one

    Raises :class:`ConfigError` naming the value and its range.
    """

    model: str = "awgn"
    snr_db: float | None = None
    cfo_hz: float = 0.0
    sro_ppm: float = 0.0
    delay_spread_s: float = 1e-6
    hold_power: bool = False
    phase_noise_hz: float = 0.0
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dc_offset_db: float | None = None
    adc_bits: int | None = None
    adc_full_scale: float = 4.0
    sample_rate_hz: float = 1e6
    symbol_energy: float = 64 / 52
    seed: int = 0

    def __post_init__(self) -> None:
        require_choice("model", self.model, CHANNEL_MODELS)
        if not isinstance(self.hold_power, bool):
            raise ConfigError(f"hold_power is {self.hold_power!r}, permitted: true or false")
        for name, (low, high) in _RANGES.items():
            self._check_number(name, low, high)
        nyquist_hz = self.sample_rate_hz / 2
        self._check_number("cfo_hz", -nyquist_hz, nyquist_hz)
        if self.model == "multipath":
            longest_s = MAX_DELAY_SPREAD_SAMPLES / self.sample_rate_hz
            require_range("delay_spread_s", self.delay_spread_s, 0.0, longest_s)

    def _check_number(self, name: str, low: float, high: float) -> None:
        """Check one field, and store it as a plain int or float."""
        value = getattr(self, name)
        if value is None and name in _MAY_BE_NONE:
            return
        whole = name in _INTEGERS
        if not _is_number(value, whole):
            kind = "an integer" if whole else "a number"
            raise ConfigError(f"{name} is {value!r}, permitted: {kind} from {low} to {high}")
        require_range(name, value, low, high)
        object.__setattr__(self, name, int(value) if whole else float(value))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ChannelConfig":
        """Build from a mapping, as read from JSON or TOML; unknown keys are refused."""
        if not isinstance(values, Mapping):
            raise ConfigError(f"channel is {values!r}, permitted: a mapping of its parameters")
        known = [field.name for field in fields(cls)]
        unknown = [key for key in values if key not in known]
        if unknown:
            raise ConfigError(f"channel key is {unknown[0]!r}, permitted: {', '.join(known)}")
        return cls(**values)

    @property
    def noise_variance(self) -> float:
        """Complex noise variance a sample, 0 when noiseless."""
        if self.snr_db is None:
            return 0.0
        return self.symbol_energy * 10 ** (-self.snr_db / 10)


def _is_number(value: object, whole: bool) -> bool:
    """True for Python and NumPy numbers; a bool is no number."""
    kind = numbers.Integral if whole else numbers.Real
    return isinstance(value, kind) and not isinstance(value, bool)
