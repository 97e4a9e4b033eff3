# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parameter of a virtual air, validated whole."""

from __future__ import annotations

import ipaddress
import math
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from semcom_blocks.errors import ConfigError, require_choice, require_range

CLOCKS = ("virtual", "real")
KINDS = ("pluto", "usrp")
FADINGS = ("none", "rayleigh")

DEFAULT_PATH_GAIN_DB = -50.0
# Each device costs threads and each pair of them a path.
MAX_DEVICES = 16
# A tap costs a multiplication per sample.
MAX_TAPS = 64
# Delayed samples are kept: a tenth of a second at 10 MS/s are 8 MB.
MAX_DELAY_S = 0.1

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_SERIAL = re.compile(r"[A-Za-z0-9._-]{0,64}", re.ASCII)

# Permitted range of each number, and why it ends there.
DEVICE_RANGES: dict[str, tuple[float, float]] = {
    "port": (1024, 65535),  # below it a port needs privileges
    "clock_ppm": (-200.0, 200.0),  # four times a bad crystal
    "noise_figure_db": (-100.0, 60.0),  # from as good as none to deaf
    "iq_gain_db": (-6.0, 6.0),  # uncalibrated mixers stay below 3 dB
    "iq_phase_deg": (-30.0, 30.0),
    "dc_offset_dbfs": (-100.0, 0.0),
    "tx_iq_gain_db": (-6.0, 6.0),
    "tx_iq_phase_deg": (-30.0, 30.0),
    "tx_dc_offset_dbfs": (-100.0, 0.0),
}
PATH_RANGES: dict[str, tuple[float, float]] = {
    "gain_db": (-200.0, 30.0),  # from nothing to an amplifier
    "delay_s": (0.0, MAX_DELAY_S),
    "doppler_hz": (0.0, 1e4),
    "coherence_s": (0.0, 1e6),
}


def _check_number(owner: str, name: str, value: Any, low: float, high: float) -> float:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise ConfigError(f"{owner} {name} is {value!r}, permitted: a number {low:g} to {high:g}")
    return require_range(f"{owner} {name}", float(value), low, high)


def _keys(owner: str, values: Any, known: Sequence[str]) -> dict[str, Any]:
    """``values`` as a dict of ``known`` keys only."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{owner} is {values!r:.60}, permitted: a table of its parameters")
    for key in values:
        if key not in known:
            raise ConfigError(f"{owner} key is {key!r}, permitted: {', '.join(known)}")
    return dict(values)


@dataclass(frozen=True)
class DeviceConfig:
    """One virtual radio.

    address             loopback address that it listens on
    port                of its protocol; None is the protocol's own
    clock_ppm           error of its one crystal, which makes carriers and sample rate
    noise_figure_db     of its receiver over thermal noise
    iq_*, dc_*          receiver's mixer; DC relative to full scale, None is none
    tx_iq_*, tx_dc_*    transmitter's mixer
    agc                 receiver starts with automatic gain; None leaves it to the device
    uhd                 a USRP's: version of libuhd to agree with, such as "4.3", its default
    """

    name: str
    kind: str
    address: str = "127.0.0.1"
    port: int | None = None
    serial: str = ""
    clock_ppm: float = 0.0
    noise_figure_db: float = 3.0
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dc_offset_dbfs: float | None = None
    tx_iq_gain_db: float = 0.0
    tx_iq_phase_deg: float = 0.0
    tx_dc_offset_dbfs: float | None = None
    agc: bool | None = None
    uhd: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ConfigError(f"device name is {self.name!r:.60}, permitted: {_NAME.pattern}")
        owner = f"device {self.name}"
        require_choice(f"{owner} kind", self.kind, KINDS)
        if not isinstance(self.serial, str) or not _SERIAL.fullmatch(self.serial):
            raise ConfigError(
                f"{owner} serial is {self.serial!r:.60}, permitted: {_SERIAL.pattern}"
            )
        try:
            loopback = ipaddress.IPv4Address(self.address).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ConfigError(
                f"{owner} address is {self.address!r:.60}, permitted: 127.0.0.1 to 127.255.255.254"
            )
        if self.agc is not None and not isinstance(self.agc, bool):
            raise ConfigError(f"{owner} agc is {self.agc!r}, permitted: true or false")
        if self.uhd is not None and not isinstance(self.uhd, str):
            raise ConfigError(f"{owner} uhd is {self.uhd!r:.60}, permitted: a version, as 4.3")
        for name, (low, high) in DEVICE_RANGES.items():
            value = getattr(self, name)
            if value is None and name in ("port", "dc_offset_dbfs", "tx_dc_offset_dbfs"):
                continue
            number = _check_number(owner, name, value, low, high)
            object.__setattr__(self, name, int(number) if name == "port" else number)


@dataclass(frozen=True)
class PathConfig:
    """The way from one device's transmitter to another's receiver, channel by channel.

    source, target  names of devices, "from" and "to" in files; the same one is its own echo
    gain_db         of the whole way
    delay_s         any fraction of a sample
    taps            impulse response [[re, im], …], spaced by a sample of the transmitter
    fading          "rayleigh" multiplies each tap by an independent CN(0, 1) process: of
                    Clarke's spectrum if ``doppler_hz`` is given, drawn anew after each
                    ``coherence_s`` if that is, else drawn once
    """

    source: str
    target: str
    gain_db: float = DEFAULT_PATH_GAIN_DB
    delay_s: float = 0.0
    taps: tuple[tuple[float, float], ...] = ((1.0, 0.0),)
    fading: str = "none"
    doppler_hz: float = 0.0
    coherence_s: float = 0.0

    def __post_init__(self) -> None:
        owner = f"path {self.source}>{self.target}"
        require_choice(f"{owner} fading", self.fading, FADINGS)
        for name, (low, high) in PATH_RANGES.items():
            number = _check_number(owner, name, getattr(self, name), low, high)
            object.__setattr__(self, name, number)
        if self.doppler_hz and self.coherence_s:
            raise ConfigError(f"{owner} has doppler_hz and coherence_s, permitted: one of them")
        object.__setattr__(self, "taps", _taps(owner, self.taps))


def _taps(owner: str, taps: Any) -> tuple[tuple[float, float], ...]:
    rows = list(taps) if isinstance(taps, (list, tuple)) else []
    good = 1 <= len(rows) <= MAX_TAPS and all(
        isinstance(row, (list, tuple))
        and len(row) == 2
        and all(isinstance(part, numbers.Real) and math.isfinite(part) for part in row)
        for row in rows
    )
    if not good:
        text = f"{owner} taps is {taps!r:.60}, permitted: 1 to {MAX_TAPS} pairs [re, im]"
        raise ConfigError(text)
    return tuple((float(re), float(im)) for re, im in rows)


@dataclass(frozen=True)
class AirConfig:
    """A virtual air.

    clock    "virtual": time moves only while a client waits, nothing is lost; "real": the
             wall clock's pace
    seed     of all noise and fading
    control  ZeroMQ endpoint of the control socket, None is none
    grace_s  how long a stream that owes samples may hold virtual time
    speed    virtual time may run this much faster than the wall clock; None is no limit
    paths    None joins every device to every other one (a single one to itself)
    """

    devices: tuple[DeviceConfig, ...]
    paths: tuple[PathConfig, ...] | None = None
    clock: str = "virtual"
    seed: int = 0
    control: str | None = None
    grace_s: float = 0.25
    speed: float | None = None

    def __post_init__(self) -> None:
        require_choice("clock", self.clock, CLOCKS)
        seed = self.seed
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
            raise ConfigError(f"seed is {seed!r}, permitted: a whole number 0 to 2^63 - 1")
        _check_number("air", "grace_s", self.grace_s, 0.0, 60.0)
        if self.speed is not None:
            _check_number("air", "speed", self.speed, 0.01, 1e6)
        if self.control is not None and not isinstance(self.control, str):
            raise ConfigError(f"control is {self.control!r:.60}, permitted: tcp://127.0.0.1:PORT")
        if not 1 <= len(self.devices) <= MAX_DEVICES:
            raise ConfigError(f"air has {len(self.devices)} devices, permitted: 1 to {MAX_DEVICES}")
        names = [device.name for device in self.devices]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"device {name} appears twice, permitted: distinct names")
        if self.paths is None:
            object.__setattr__(self, "paths", _all_pairs(names))
        for path in self.paths or ():
            for end in (path.source, path.target):
                require_choice("path end", end, tuple(names))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AirConfig:
        """Build from a mapping, as read from JSON or TOML; unknown keys are refused."""
        top = _keys("air", values, [item.name for item in fields(cls)])
        known = [item.name for item in fields(DeviceConfig)]
        rows = _rows("devices", top.pop("devices", None))
        devices = tuple(_device(_keys("device", row, known)) for row in rows)
        paths = top.pop("paths", None)
        if paths is not None:
            paths = tuple(path_from_dict(row) for row in _rows("paths", paths))
        return cls(devices=devices, paths=paths, **top)


def path_from_dict(values: Mapping[str, Any]) -> PathConfig:
    """One path, with its ends named "from" and "to"."""
    known = [item.name for item in fields(PathConfig)][2:]
    row = _keys("path", values, ["from", "to", *known])
    ends = [row.pop(end, None) for end in ("from", "to")]
    if not all(isinstance(end, str) for end in ends):
        raise ConfigError(f"path goes from {ends[0]!r} to {ends[1]!r}, permitted: names of devices")
    return PathConfig(*ends, **row)


def _device(row: dict[str, Any]) -> DeviceConfig:
    for key in ("name", "kind"):
        if key not in row:
            raise ConfigError(f"device {key} is missing, permitted: {key} of each device")
    return DeviceConfig(**row)


def _rows(name: str, rows: Any) -> list[Any]:
    if not isinstance(rows, (list, tuple)):
        raise ConfigError(f"{name} is {rows!r:.60}, permitted: a list of tables")
    return list(rows)


def _all_pairs(names: list[str]) -> tuple[PathConfig, ...]:
    if len(names) == 1:
        return (PathConfig(names[0], names[0]),)
    return tuple(PathConfig(a, b) for a in names for b in names if a != b)
