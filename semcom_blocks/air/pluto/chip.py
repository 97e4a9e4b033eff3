# SPDX-License-Identifier: GPL-3.0-or-later
"""What the AD9363 transceiver is set to, with its limits and steps.

Values come in as the driver's text means them and are read back as the chip holds them:
transmit attenuation in 0.25 dB, receive gain in 1 dB, carriers and sample rate on the
grid of their loops.  A refused value changes nothing and raises :class:`OSError`.

No effect on the signal: the programmable filters' taps, tracking loops and port choice.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass

from semcom_blocks.air.pluto.iio import parse_choice, parse_float, parse_int
from semcom_blocks.air.pluto.synthesiser import (
    CRYSTAL_HZ,
    carrier,
    clock_chain,
    lowest_rate_hz,
)

GAIN_MODES = ("manual", "fast_attack", "slow_attack", "hybrid")
HIGHEST_RATE_HZ = 61_440_000
LO_RANGE_HZ = (325_000_000, 3_800_000_000)
BANDWIDTH_RANGE_HZ = (200_000, 20_000_000)
#: How far the driver's idea of the crystal may go: 200 ppm.
XO_RANGE_HZ = (CRYSTAL_HZ - 8000, CRYSTAL_HZ + 8000)
LOWEST_TX_GAIN_DB = -89.75
TX_GAIN_STEP_DB = 0.25
MAX_TAPS = 128  # of each programmable filter

_FIR_HEAD = re.compile(r"(RX|TX) \d+ GAIN -?\d+ (?:DEC|INT) (1|2|4)", re.ASCII)
_FIR_TAPS = re.compile(r"(-?\d{1,5})\s*,\s*(-?\d{1,5})", re.ASCII)
_FIR_OTHER = re.compile(r"(RTX|RRX|BWTX|BWRX)\b.*|#.*|", re.ASCII)  # what design tools add


@dataclass(frozen=True)
class Fir:
    """The loaded programmable filter: number of taps and rate factor."""

    taps: int = 0
    factor: int = 0

    def __str__(self) -> str:
        return f"FIR Rx: {self.taps},{self.factor} Tx: {self.taps},{self.factor}"


def parse_fir(text: str) -> Fir:
    """Check a filter file as the driver does: one factor, 16 to 128 taps in sixteens."""
    factors: dict[str, int] = {}
    taps = 0
    for line in text.splitlines():
        head = _FIR_HEAD.fullmatch(line.strip())
        pair = _FIR_TAPS.fullmatch(line.strip())
        if head:
            factors[head[1]] = int(head[2])
        elif pair:
            if not all(-(2**15) <= int(value) < 2**15 for value in pair.groups()):
                raise OSError(errno.EINVAL, f"filter tap {line.strip()!r:.40} exceeds 16 bits")
            taps += 1
        elif not _FIR_OTHER.fullmatch(line.strip()):
            raise OSError(errno.EINVAL, f"filter line {line.strip()!r:.40} is not understood")
    if set(factors) != {"RX", "TX"} or len(set(factors.values())) != 1:
        raise OSError(errno.EINVAL, "filter needs RX and TX lines of one factor")
    if not 16 <= taps <= MAX_TAPS or taps % 16:
        raise OSError(errno.EINVAL, f"filter has {taps} taps, permitted: 16 to 128 in sixteens")
    return Fir(taps, factors["RX"])


def rx_gain_range(lo_hz: float) -> tuple[int, int]:
    """dB, by band of the carrier."""
    if lo_hz < 1_300_000_000:
        return -1, 73
    return (-3, 71) if lo_hz < 4_000_000_000 else (-10, 62)


@dataclass
class Side:
    """What receiver and transmitter have each of their own."""

    lo_request_hz: int
    gain_db: float
    bandwidth_hz: int = 18_000_000


class Chip:
    """``on_change`` is called after each change that the air must know of."""

    def __init__(self, on_change: Callable[[], None], agc: bool = True) -> None:
        self._on_change = on_change
        self.rx = Side(2_400_000_000, 71.0)
        self.tx = Side(2_450_000_000, -10.0)
        self.gain_mode = "slow_attack" if agc else "manual"
        self.reference_hz = CRYSTAL_HZ
        self.fir = Fir()
        self.fir_enabled = False
        self.loopback = 0
        self._rate_request_hz = 30_720_000
        self._solve()

    def _solve(self) -> None:
        factor = self.fir.factor if self.fir_enabled else 1
        self.clocks = clock_chain(self._rate_request_hz, factor, self.reference_hz)
        self._carriers = {
            id(side): carrier(side.lo_request_hz, self.reference_hz) for side in (self.rx, self.tx)
        }

    def _changed(self) -> None:
        self._solve()
        self._on_change()

    def lo_hz(self, side: Side, *, reported: bool = False) -> float:
        """A carrier with the crystal at its nominal frequency, or as the driver computes it."""
        return self._carriers[id(side)].frequency_hz(self.reference_hz if reported else CRYSTAL_HZ)

    @property
    def rate_range_hz(self) -> tuple[int, int]:
        return lowest_rate_hz(self.fir.factor if self.fir_enabled else 1), HIGHEST_RATE_HZ

    @property
    def reported_rate_hz(self) -> int:
        return round(self.clocks.loop.frequency_hz(self.reference_hz))

    def set_rate(self, text: str) -> None:
        self._rate_request_hz = parse_int(text, *self.rate_range_hz)
        self._changed()

    def set_lo(self, side: Side, text: str) -> None:
        side.lo_request_hz = parse_int(text, *LO_RANGE_HZ)
        low, high = rx_gain_range(self.rx.lo_request_hz)
        self.rx.gain_db = min(max(self.rx.gain_db, low), high)
        self._changed()

    def set_bandwidth(self, side: Side, text: str) -> None:
        side.bandwidth_hz = parse_int(text, *BANDWIDTH_RANGE_HZ)
        self._changed()

    def set_tx_gain(self, text: str) -> None:
        """Attenuation below a step is cut off."""
        gain_db = parse_float(text, LOWEST_TX_GAIN_DB, 0.0)
        self.tx.gain_db = -int(-gain_db / TX_GAIN_STEP_DB) * TX_GAIN_STEP_DB
        self._changed()

    def set_rx_gain(self, text: str) -> None:
        """Whole decibels; the automatic gain control allows none from outside."""
        if self.gain_mode != "manual":
            raise OSError(errno.EOPNOTSUPP, f"gain is automatic ({self.gain_mode}), set manual")
        self.rx.gain_db = float(int(parse_float(text, *rx_gain_range(self.rx.lo_request_hz))))
        self._changed()

    def set_gain_mode(self, text: str) -> None:
        self.gain_mode = parse_choice(text, GAIN_MODES)
        self._changed()

    def set_reference(self, text: str) -> None:
        """What the driver takes the crystal for; the loops are set anew at once."""
        self.reference_hz = parse_int(text, *XO_RANGE_HZ)
        self._changed()

    def load_fir(self, text: str) -> None:
        fir = parse_fir(text)
        if self.fir_enabled and self._rate_request_hz < lowest_rate_hz(fir.factor):
            raise OSError(errno.EINVAL, f"filter by {fir.factor} is not enough for the rate")
        self.fir = fir
        self._changed()

    def enable_fir(self, text: str) -> None:
        enable = bool(parse_int(text, 0, 1))
        if enable and not self.fir.taps:
            raise OSError(errno.EINVAL, "no filter is loaded")
        if self._rate_request_hz < lowest_rate_hz(self.fir.factor if enable else 1):
            raise OSError(
                errno.EINVAL, f"sample rate {self._rate_request_hz} Hz is too low without filter"
            )
        self.fir_enabled = enable
        self._changed()

    def set_loopback(self, text: str) -> None:
        """0 none, 1 digital; the chip's third, receive to transmit, is not modelled."""
        value = parse_int(text, 0, 2)
        if value == 2:
            raise OSError(errno.EOPNOTSUPP, "loopback 2 (receive to transmit) is not modelled")
        self.loopback = value
        self._changed()
