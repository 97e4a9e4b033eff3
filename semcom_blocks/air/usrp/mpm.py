# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods of MPM, the server that runs on the device, as libuhd calls them.

Some are open to everybody; all others get the claim's
token as their first argument, which is checked and taken off here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from semcom_blocks.air.usrp import board as boards
from semcom_blocks.air.usrp import transceiver
from semcom_blocks.air.usrp.board import Board
from semcom_blocks.air.usrp.claim import Claim
from semcom_blocks.air.usrp.management import Fabric
from semcom_blocks.air.usrp.registers import PROTOCOL_VERSION
from semcom_blocks.air.usrp.timekeeper import Timekeeper
from semcom_blocks.errors import RadioError

PRODUCT = "e320"
TYPE = "e3xx"
PRODUCT_ID = "58144"
DAUGHTERBOARD_ID = "272"
CHDR_WIDTH_BITS = 64

# Above 7800 bytes a datagram takes twice its size of a socket's buffer on Linux.
FRAME_BYTES = 7800
# bytes/s; libuhd makes its buffers 20 ms of it: 4 MB, what Linux can be asked for.
LINK_RATE = 200_000_000


@dataclass(frozen=True)
class Identity:
    """What the device says it is."""

    name: str
    serial: str
    address: str
    chdr_port: int
    compatibility: tuple[int, int]


@dataclass(frozen=True)
class Hooks:
    """What the device does when the driver has come, gone or set another rate."""

    retuned: Callable[[], None]
    released: Callable[[], None]


class Mpm:
    """Answers calls; the caller holds the air's lock."""

    def __init__(
        self,
        identity: Identity,
        claim: Claim,
        board: Board,
        fabric: Fabric,
        clock: Timekeeper,
        hooks: Hooks,
    ) -> None:
        self._identity = identity
        self._claim = claim
        self._board = board
        self._fabric = fabric
        self._clock = clock
        self._hooks = hooks
        self._last_error = ""
        self._open = self._open_methods()
        self._claimed = self._claimed_methods()

    def call(self, name: Any, arguments: Any) -> Any:
        """Carry one call out; :class:`SemcomError` becomes the caller's error text."""
        try:
            return self._call(name, arguments)
        except Exception as error:
            self._last_error = str(error)  # the driver asks for it and shows it
            raise

    def _call(self, name: Any, arguments: Any) -> Any:
        if not isinstance(arguments, (list, tuple)):
            raise RadioError(f"arguments are {arguments!r:.60}, permitted: a list")
        if not isinstance(name, str):
            raise RadioError(f"method is {name!r:.60}, permitted: a name")
        if name in self._open:
            return self._open[name](*arguments)
        if name not in self._claimed:
            raise RadioError(f"method is {name!r:.60}, permitted: those of MPM for an E320")
        if not arguments or not self._claim.show(arguments[0]):
            raise RadioError("Invalid token!")
        return self._claimed[name](*arguments[1:])

    def _open_methods(self) -> dict[str, Callable[..., Any]]:
        constants = {
            "get_mpm_compat_num": list(self._identity.compatibility),
            "get_proto_ver": PROTOCOL_VERSION,
            "get_chdr_width": CHDR_WIDTH_BITS,
            "list_updateable_components": [],
            "get_num_xbars": 1,
        }
        return {name: _constant(value) for name, value in constants.items()} | {
            "claim": lambda *_: self._claim.take(),
            "reclaim": self._claim.show,
            "unclaim": self._unclaim,
            "get_device_info": self.device_info,
            "get_dboard_info": lambda: [{"pid": DAUGHTERBOARD_ID, "serial": self._identity.serial}],
            "get_last_error": lambda: self._last_error,
            "ping": lambda data=None: data,
        }

    def _claimed_methods(self) -> dict[str, Callable[..., Any]]:
        board = self._board
        constants: dict[str, Any] = {
            "get_init_status": ["true", "No errors."],
            "get_log_buf": [],
            "get_chdr_link_types": ["udp"],
            "get_num_timekeepers": 1,
            "get_gpio_banks": [],
            "get_mb_sensors": list(boards.MOTHERBOARD_SENSORS),
            "get_clock_source": "internal",
            "get_clock_sources": ["internal"],
            "get_time_source": "internal",
            "get_time_sources": ["internal"],
            "get_sync_source": {"clock_source": "internal", "time_source": "internal"},
            "get_sync_sources": [{"clock_source": "internal", "time_source": "internal"}],
            "supports_feature": False,
            "get_db_eeprom": {},
        }
        # Set by the driver and of no consequence here: the chains are always ready.
        ignored = (
            "set_channel_mode",
            "set_tick_period",
            "db_0_set_active_chains",
            "db_0_set_timing_mode",
            "db_0_set_agc_mode",
            "db_0_set_dc_offset_auto",
            "db_0_set_iq_balance_auto",
            "db_0_data_port_loopback",
            "db_0_output_digital_test_tone",
        )
        return (
            {name: _constant(value) for name, value in constants.items()}
            | {name: _constant(None) for name in ignored}
            | {
                "init": self._init,
                "get_chdr_link_options": self._links,
                "get_clocks": self._clocks,
                "get_db_eeprom": lambda _board: {},  # asked for with the serial number
                "get_mb_eeprom": lambda: {"pid": PRODUCT_ID, "serial": self._identity.serial},
                "get_mb_sensor": board.motherboard_sensor,
                "set_device_id": self._set_device_id,
                "set_clock_source": _only_internal,
                "set_time_source": _only_internal,
                "set_sync_source": _only_internal,
                "get_timekeeper_time": self._get_time,
                "set_timekeeper_time": self._set_time,
                "db_0_get_master_clock_rate": lambda: board.clock_hz,
                "db_0_set_catalina_clock_rate": self._retuned(board.set_clock),
                "db_0_catalina_tune": self._retuned(board.tune),
                "db_0_set_gain": self._retuned(board.set_gain),
                "db_0_set_agc": self._retuned(board.set_agc),
                "db_0_set_bw_filter": self._retuned(board.set_bandwidth),
                "db_0_get_freq": board.carrier,
                "db_0_get_sensors": _sensors,
                "db_0_get_sensor": board.sensor,
                "db_0_get_filter_names": lambda _chain: [],
            }
        )

    def device_info(self) -> dict[str, str]:
        """What discovery and the driver's property tree show."""
        major, minor = self._identity.compatibility
        return {
            "type": TYPE,
            "product": PRODUCT,
            "pid": PRODUCT_ID,
            "serial": self._identity.serial,
            "rev": "0",
            "name": self._identity.name,
            "description": "E320, emulated by a virtual air",
            "mpm_version": f"{major}.{minor}",
            "fpga_version": "n/a",
            "rpc_connection": "remote",
            "connection": "remote",
            "claimed": str(self._claim.held()),
        }

    def _retuned(self, setter: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            result = setter(*arguments)
            self._hooks.retuned()
            return result

        return call

    def _init(self, arguments: Any) -> bool:
        if not isinstance(arguments, Mapping):
            raise RadioError(f"device arguments are {arguments!r:.60}, permitted: a map")
        for key in ("clock_source", "time_source"):
            _only_internal(arguments.get(key, "internal"))
        rate = arguments.get("master_clock_rate", transceiver.DEFAULT_CLOCK_HZ)
        self._board.set_clock(rate)
        self._hooks.retuned()
        return True

    def _unclaim(self, token: Any) -> bool:
        if not self._claim.show(token):
            return False
        self._claim.release()
        self._hooks.released()
        return True

    def _links(self, kind: Any) -> list[dict[str, str]]:
        if kind != "udp":
            return []
        return [
            {
                "iface": "lo",
                "ipv4": self._identity.address,
                "port": str(self._identity.chdr_port),
                "link_rate": str(LINK_RATE),
                "type": "internal",  # or the driver would measure the MTU
                "mtu": str(FRAME_BYTES),
            }
        ]

    def _clocks(self) -> list[dict[str, str]]:
        return [
            {"name": "radio_clk", "freq": str(self._board.clock_hz), "mutable": "true"},
            {"name": "bus_clk", "freq": "200e6"},
            {"name": "ctrl_clk", "freq": "40e6"},
        ]

    def _set_device_id(self, device_id: Any) -> None:
        if not isinstance(device_id, int) or not 0 <= device_id <= 0xFFFF:
            raise RadioError(f"device id is {device_id!r:.60}, permitted: 0 to 65535")
        self._fabric.device_id = device_id

    def _get_time(self, index: Any, at_last_pps: Any) -> int:
        _only_first(index)
        return self._clock.last_pps() if at_last_pps else self._clock.now()

    def _set_time(self, index: Any, ticks: Any, at_next_pps: Any) -> None:
        _only_first(index)
        if not isinstance(ticks, int) or not 0 <= ticks < 1 << 64:
            raise RadioError(f"time is {ticks!r:.60}, permitted: 0 to 2^64 - 1 ticks")
        self._clock.set(ticks, bool(at_next_pps))


def _constant(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def _sensors(direction: Any) -> list[str]:
    return list(boards.RX_SENSORS if direction == "RX" else boards.TX_SENSORS)


def _only_first(index: Any) -> None:
    if index != 0:
        raise RadioError(f"timekeeper is {index!r:.60}, permitted: 0")


def _only_internal(source: Any) -> None:
    """The device has one reference; a map names both of its sources."""
    named = source.values() if isinstance(source, Mapping) else [source]
    for name in named:
        if name != "internal":
            raise RadioError(f"clock or time source is {name!r:.60}, permitted: internal")
