# SPDX-License-Identifier: GPL-3.0-or-later
"""What the AD9361 of this device can be set to: ranges and steps.

The driver is told what a setting became; as with the real chip that may be another
value than it asked for.  Source: AD9361 data sheet and reference manual (UG-570).
"""

from __future__ import annotations

import math

from semcom_blocks.errors import require_range

CLOCK_RANGE_HZ = (220e3, 61.44e6)
LO_RANGE_HZ = {"RX": (70e6, 6e9), "TX": (47e6, 6e9)}
BANDWIDTH_RANGE_HZ = (200e3, 56e6)
RX_GAIN_RANGE_DB = (0.0, 76.0)
TX_GAIN_RANGE_DB = (0.0, 89.75)
GAIN_STEP_DB = {"RX": 1.0, "TX": 0.25}

# The synthesiser: f = f_ref (N + F / M) / 2^k with the oscillator within 6 to 12 GHz.
REFERENCE_HZ = 80e6
FRACTION = 8_388_593
OSCILLATOR_MIN_HZ = 6e9

DEFAULT_CLOCK_HZ = 16e6
DEFAULT_LO_HZ = 2.4e9


def clip(value: float, limits: tuple[float, float]) -> float:
    """``value`` within ``limits``; what is no number becomes the lower one."""
    return min(max(value, limits[0]), limits[1]) if value == value else limits[0]


def clock_rate(requested_hz: float) -> float:
    """The master clock rate, which the chip refuses where it cannot make it."""
    return require_range("master clock rate", requested_hz, *CLOCK_RANGE_HZ)


def carrier(direction: str, requested_hz: float) -> float:
    """The nearest carrier the synthesiser makes: within 5 Hz of the one asked for."""
    wanted = clip(requested_hz, LO_RANGE_HZ[direction])
    divider = 2 ** max(0, math.ceil(math.log2(OSCILLATOR_MIN_HZ / wanted)))
    step = REFERENCE_HZ / FRACTION / divider
    return round(wanted / step) * step


def gain(direction: str, requested_db: float) -> float:
    """The nearest gain there is, as the driver counts it."""
    limits = RX_GAIN_RANGE_DB if direction == "RX" else TX_GAIN_RANGE_DB
    step = GAIN_STEP_DB[direction]
    return round(clip(requested_db, limits) / step) * step


def port_gain_db(direction: str, gain_db: float) -> float:
    """The driver's gain as the air counts it: the transmitter's largest is 0 dB."""
    return gain_db if direction == "RX" else gain_db - TX_GAIN_RANGE_DB[1]


def bandwidth(requested_hz: float) -> float:
    """The nearest analog bandwidth, both sides together."""
    return clip(requested_hz, BANDWIDTH_RANGE_HZ)
