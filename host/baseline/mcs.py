# SPDX-License-Identifier: GPL-3.0-or-later
"""Modulation and code rate, and how a picture's bits are laid into so many symbols.

A picture is one transport block (3GPP TS 38.212, 5.1 and 5.2): payload, CRC, and where it is more
than one code block, a CRC-24B for each. Code blocks are of equal length, of at most
``MAX_CODED_BITS``; what does not divide evenly, less than one symbol a block, is left unused.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from semcom_blocks.errors import ConfigError, require_choice, require_range
from semcom_blocks.phy.qam import BITS_PER_SYMBOL

NAMES = {1: "BPSK", 2: "QPSK", 4: "16-QAM", 6: "64-QAM", 8: "256-QAM"}
MAX_CODED_BITS = 8192  # longer code words are under 0.1 dB better; 38.212's longest have 8448/R
SMALL_PAYLOAD = 3824  # bits: 38.212, 5.1: up to here CRC-16 is enough for a transport block
LOWEST_RATE, HIGHEST_RATE = Fraction(1, 5), Fraction(9, 10)  # mother code; decodable in 38.214
MAX_SYMBOLS = 10**7  # of a picture; 16 MP at k/n 1/6 are 8 M


@dataclass(frozen=True)
class Mcs:
    """``bits_per_symbol`` of the QAM and the code ``rate``."""

    bits_per_symbol: int
    rate: Fraction

    def __post_init__(self) -> None:
        if self.bits_per_symbol not in NAMES:
            raise ConfigError(
                f"bits_per_symbol is {self.bits_per_symbol}, permitted: {BITS_PER_SYMBOL}"
            )
        require_range("rate", self.rate, LOWEST_RATE, HIGHEST_RATE)

    @property
    def name(self) -> str:
        """Such as "16-QAM 1/2"."""
        return f"{NAMES[self.bits_per_symbol]} {self.rate}"

    @property
    def efficiency(self) -> float:
        """Information bits a symbol, CRCs not taken off."""
        return float(self.bits_per_symbol * self.rate)

    @classmethod
    def parse(cls, text: str) -> Mcs:
        """Inverse of ``name``."""
        modulation, _, rate = text.partition(" ")
        bits = {name: bits for bits, name in NAMES.items()}
        require_choice("modulation", modulation, tuple(bits))
        try:
            fraction = Fraction(rate)
        except (ValueError, ZeroDivisionError):
            raise ConfigError(f"code rate is {rate!r}, permitted: such as 1/2") from None
        return cls(bits[modulation], fraction)


#: The sweep, in order of efficiency: 0.4 to 6.7 bits a symbol.
SWEEP = tuple(
    Mcs(bits, Fraction(rate))
    for bits, rates in (
        (2, ("1/5", "1/3", "1/2", "2/3", "5/6")),
        (4, ("1/2", "2/3", "5/6")),
        (6, ("2/3", "3/4", "5/6")),
        (8, ("2/3", "3/4", "5/6")),
    )
    for rate in rates
)


@dataclass(frozen=True)
class Layout:
    """``blocks`` code words of ``symbols`` symbols each carry ``payload_bits`` of one picture."""

    mcs: Mcs
    blocks: int
    symbols: int
    payload_bits: int

    @property
    def coded_bits(self) -> int:
        """n of a code word."""
        return self.symbols * self.mcs.bits_per_symbol

    @property
    def info_bits(self) -> int:
        """k of a code word, CRCs included."""
        return info_bits(self.mcs, self.coded_bits)


def info_bits(mcs: Mcs, coded_bits: int) -> int:
    """k of a code word of n ``coded_bits``: n·R, rounded up."""
    return -(-coded_bits * mcs.rate.numerator // mcs.rate.denominator)


def lay(mcs: Mcs, symbols: int) -> Layout:
    """Cut ``symbols`` complex symbols into code words; the payload may be 0 where CRCs fill it."""
    require_range("symbols", symbols, 1, MAX_SYMBOLS)
    blocks = -(-symbols * mcs.bits_per_symbol // MAX_CODED_BITS)
    each = symbols // blocks
    size = info_bits(mcs, each * mcs.bits_per_symbol)
    bits = blocks * (size - (24 if blocks > 1 else 0))
    bits -= 16 if bits - 16 <= SMALL_PAYLOAD else 24
    return Layout(mcs, blocks, each, max(bits, 0))
