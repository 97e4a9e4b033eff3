# SPDX-License-Identifier: GPL-3.0-or-later
"""The fractional phase-locked loops behind carriers and sample rate.

Both multiply one crystal by a rational number of fixed modulus M and then divide:

    f = f_xo · word / M / divider,   word a whole number

so that what comes out lies on a grid.  The driver computes ``word`` from what it
believes the crystal to be (``xo_correction``); the crystal makes f from what it is.

Source: Analog Devices, AD9361 Reference Manual UG-570, "RF PLL" and "Baseband PLL".
"""

from __future__ import annotations

from dataclasses import dataclass

#: What the crystal should be; a device's clock error is relative to it.
CRYSTAL_HZ = 40_000_000
RF_MODULUS = 8_388_593
BB_MODULUS = 2_088_960
#: The oscillators run from here to its double, and powers of two divide them.
RF_VCO_LOW_HZ = 6_000_000_000
BB_VCO_LOW_HZ = 715_000_000
#: Slowest analog-to-digital converter.
ADC_LOW_HZ = 25_000_000


@dataclass(frozen=True)
class Loop:
    """One loop's setting."""

    word: int
    modulus: int
    divider: int

    def frequency_hz(self, crystal_hz: float = CRYSTAL_HZ) -> float:
        return crystal_hz * self.word / (self.modulus * self.divider)


def carrier(frequency_hz: int, reference_hz: int) -> Loop:
    """The setting nearest to a carrier frequency: steps of 1.2 Hz from 1.5 to 3 GHz."""
    divider = 2
    while frequency_hz * divider < RF_VCO_LOW_HZ:
        divider *= 2
    return Loop(round(frequency_hz * divider * RF_MODULUS / reference_hz), RF_MODULUS, divider)


@dataclass(frozen=True)
class ClockChain:
    """From the baseband loop down to the samples.

    adc_over_rf     half-band filters: converter's rate over that behind them
    fir_factor      decimation of the programmable filter, 1 without it
    """

    loop: Loop
    adc_over_rf: int
    fir_factor: int

    @property
    def sample_rate_hz(self) -> float:
        """With the crystal at its nominal frequency."""
        return self.loop.frequency_hz()

    def path_rates(self, transmit: bool, reference_hz: int) -> str:
        """The line of ``rx_path_rates`` or ``tx_path_rates``, in Hz."""
        sample = self.loop.frequency_hz(reference_hz)
        filtered = sample * self.fir_factor
        adc = filtered * self.adc_over_rf
        # 12 = 3·2·2 and 8 = 2·2·2; the transmitter's first 2 of the latter is the converter's.
        third = 3 if self.adc_over_rf == 12 else 1 if transmit else 2
        converter = adc / 2 if transmit and self.adc_over_rf == 8 else adc
        names = "DAC T2 T1 TF TXSAMP" if transmit else "ADC R2 R1 RF RXSAMP"
        rates = (converter, converter / third, filtered * 2, filtered, sample)
        head = f"BBPLL:{int(sample * self.loop.divider)}"
        parts = [f"{name}:{int(rate)}" for name, rate in zip(names.split(), rates)]  # noqa: B905
        return " ".join([head, *parts])


def clock_chain(rate_hz: int, fir_factor: int, reference_hz: int) -> ClockChain:
    """The setting nearest to a sample rate; it must be :func:`lowest_rate_hz` at least."""
    adc_over_rf = 8 if rate_hz * fir_factor * 8 >= ADC_LOW_HZ else 12
    divider = fir_factor * adc_over_rf
    while rate_hz * divider < BB_VCO_LOW_HZ:
        divider *= 2
    word = round(rate_hz * divider * BB_MODULUS / reference_hz)
    return ClockChain(Loop(word, BB_MODULUS, divider), adc_over_rf, fir_factor)


def lowest_rate_hz(fir_factor: int) -> int:
    """Slowest sample rate: the converter's over all decimation."""
    return ADC_LOW_HZ // (12 * fir_factor)
