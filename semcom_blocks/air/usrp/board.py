# SPDX-License-Identifier: GPL-3.0-or-later
"""The daughterboard: what the driver sets, and the tunings that follow from it.

The two channels of a direction share the synthesiser and the analog filter; all four
share the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from semcom_blocks.air.device import Tuning
from semcom_blocks.air.usrp import transceiver
from semcom_blocks.air.usrp.receive import RxStream
from semcom_blocks.air.usrp.registers import CHANNELS
from semcom_blocks.errors import ConfigError, require_choice

CHAINS = tuple(f"{direction}{1 + c}" for direction in ("RX", "TX") for c in range(CHANNELS))
TEMPERATURE_C = 40.0  # of an emulated chip: plausible, and the same always

RX_SENSORS = ("lo_locked", "rssi", "ad9361_temperature")
TX_SENSORS = ("lo_locked", "ad9361_temperature")
MOTHERBOARD_SENSORS = ("ref_locked", "temp_internal")


def start_tuning(direction: str, agc: bool = False) -> Tuning:
    """A port as it is before any driver came."""
    gain_db = transceiver.port_gain_db(direction, 0.0)
    carrier_hz = transceiver.carrier(direction, transceiver.DEFAULT_LO_HZ)
    bandwidth_hz = transceiver.BANDWIDTH_RANGE_HZ[1]
    return Tuning(transceiver.DEFAULT_CLOCK_HZ, carrier_hz, gain_db, bandwidth_hz, agc)


def sensor(name: str, value: bool | float, unit: str = "") -> dict[str, str]:
    """A sensor as the driver wants it."""
    if isinstance(value, bool):
        unit = "locked" if value else "unlocked"
        return {"name": name, "type": "BOOLEAN", "unit": unit, "value": str(value).lower()}
    return {"name": name, "type": "REALNUM", "unit": unit, "value": f"{value:.2f}"}


class Board:
    """Settings of the radio; the caller holds the air's lock and tells it of changes."""

    def __init__(self, rx: Sequence[RxStream], tx: Sequence[Tuning]) -> None:
        self._rx = rx
        self._tunings = {"RX": [stream.tuning for stream in rx], "TX": list(tx)}

    @property
    def clock_hz(self) -> float:
        """The master clock rate, which is every port's sample rate."""
        return self._tunings["RX"][0].sample_rate_hz

    def set_clock(self, requested: Any) -> float:
        """Set the master clock rate."""
        clock_hz = transceiver.clock_rate(_number("master clock rate", requested))
        for tuning in (*self._tunings["RX"], *self._tunings["TX"]):
            tuning.sample_rate_hz = clock_hz
        return clock_hz

    def tune(self, chain: Any, requested: Any) -> float:
        """Set the carrier of a direction."""
        direction, _ = _chain(chain)
        carrier_hz = transceiver.carrier(direction, _number("carrier", requested))
        for tuning in self._tunings[direction]:
            tuning.lo_hz = carrier_hz
        return carrier_hz

    def carrier(self, chain: Any) -> float:
        """The carrier of a direction."""
        direction, channel = _chain(chain)
        return self._tunings[direction][channel].lo_hz

    def set_gain(self, chain: Any, requested: Any) -> float:
        """Set the gain of a channel; the driver's for transmission goes from 0 up."""
        direction, channel = _chain(chain)
        gain_db = transceiver.gain(direction, _number("gain", requested))
        tuning = self._tunings[direction][channel]
        if not tuning.agc:
            tuning.gain_db = transceiver.port_gain_db(direction, gain_db)
        return gain_db

    def set_agc(self, chain: Any, on: Any) -> None:
        """Automatic gain of a receiver."""
        direction, channel = _chain(chain)
        if direction != "RX":
            raise ConfigError(f"chain of agc is {chain!r}, permitted: RX1, RX2")
        self._tunings[direction][channel].agc = bool(on)

    def set_bandwidth(self, chain: Any, requested: Any) -> float:
        """Set the analog filter of a direction."""
        direction, _ = _chain(chain)
        bandwidth_hz = transceiver.bandwidth(_number("bandwidth", requested))
        for tuning in self._tunings[direction]:
            tuning.bandwidth_hz = bandwidth_hz
        return bandwidth_hz

    def sensor(self, direction: Any, name: Any, channel: Any) -> dict[str, str]:
        """Read a sensor of a channel."""
        require_choice("direction", direction, ("RX", "TX"))
        require_choice("sensor", name, RX_SENSORS if direction == "RX" else TX_SENSORS)
        if channel not in range(CHANNELS):
            raise ConfigError(f"channel is {channel!r}, permitted: 0 to {CHANNELS - 1}")
        if name == "rssi":
            return sensor(name, self._rx[channel].level_dbfs(), "dB")
        if name == "lo_locked":
            return sensor(name, True)
        return sensor(name, TEMPERATURE_C, "C")

    def motherboard_sensor(self, name: Any) -> dict[str, str]:
        """Read a sensor of the motherboard."""
        require_choice("sensor", name, MOTHERBOARD_SENSORS)
        return sensor(name, True) if name == "ref_locked" else sensor(name, TEMPERATURE_C, "C")


def _chain(chain: Any) -> tuple[str, int]:
    name = require_choice("chain", chain, CHAINS)
    return name[:2], int(name[2]) - 1


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{name} is {value!r:.60}, permitted: a number") from None
