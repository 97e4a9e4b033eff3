# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of ``./semcom air``: virtual radios and the paths between them, as pydantic models.

Ranges are those of ``semcom_blocks.air.config``, which also checks what concerns more than
one table.  In TOML:

    clock = "virtual"

    [[devices]]
    name = "a"
    kind = "pluto"
    address = "127.0.0.1"
    clock_ppm = 10.0

    [[paths]]
    from = "a"
    to = "b"
    gain_db = -60.0
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from host.config.base import Frozen
from host.config.explain import explain
from host.config.load import merge, read_toml
from semcom_blocks.air.config import (
    DEFAULT_PATH_GAIN_DB,
    DEVICE_RANGES,
    MAX_DEVICES,
    PATH_RANGES,
    AirConfig,
    DeviceConfig,
)
from semcom_blocks.errors import ConfigError

Kind = Literal["pluto", "usrp"]
Clock = Literal["virtual", "real"]

#: The crystals of the radios that an air has unless a file names others.
DEFAULT_PPM = 10.0
DEFAULT_ADDRESS = "127.0.0.1"


def _within(ranges: Mapping[str, tuple[float, float]], name: str) -> Any:
    low, high = ranges[name]
    return Field(ge=low, le=high)


class DeviceTable(Frozen):
    """One virtual radio; see :class:`semcom_blocks.air.config.DeviceConfig`."""

    name: str
    kind: Kind
    address: str = DEFAULT_ADDRESS
    port: Annotated[int, _within(DEVICE_RANGES, "port")] | None = None
    serial: str = ""
    clock_ppm: Annotated[float, _within(DEVICE_RANGES, "clock_ppm")] = 0.0
    noise_figure_db: Annotated[float, _within(DEVICE_RANGES, "noise_figure_db")] = (
        DeviceConfig.noise_figure_db
    )
    iq_gain_db: Annotated[float, _within(DEVICE_RANGES, "iq_gain_db")] = 0.0
    iq_phase_deg: Annotated[float, _within(DEVICE_RANGES, "iq_phase_deg")] = 0.0
    dc_offset_dbfs: Annotated[float, _within(DEVICE_RANGES, "dc_offset_dbfs")] | None = None
    tx_iq_gain_db: Annotated[float, _within(DEVICE_RANGES, "tx_iq_gain_db")] = 0.0
    tx_iq_phase_deg: Annotated[float, _within(DEVICE_RANGES, "tx_iq_phase_deg")] = 0.0
    tx_dc_offset_dbfs: Annotated[float, _within(DEVICE_RANGES, "tx_dc_offset_dbfs")] | None = None
    agc: bool | None = None
    uhd: str | None = None


class PathTable(Frozen):
    """The way between two of them; see :class:`semcom_blocks.air.config.PathConfig`."""

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    gain_db: Annotated[float, _within(PATH_RANGES, "gain_db")] = DEFAULT_PATH_GAIN_DB
    delay_s: Annotated[float, _within(PATH_RANGES, "delay_s")] = 0.0
    taps: tuple[tuple[float, float], ...] = ((1.0, 0.0),)
    fading: Literal["none", "rayleigh"] = "none"
    doppler_hz: Annotated[float, _within(PATH_RANGES, "doppler_hz")] = 0.0
    coherence_s: Annotated[float, _within(PATH_RANGES, "coherence_s")] = 0.0


class AirSettings(Frozen):
    """A virtual air; see :class:`semcom_blocks.air.config.AirConfig`."""

    clock: Clock = "virtual"
    seed: int = Field(0, ge=0, le=2**31 - 1)
    control: str | None = "tcp://127.0.0.1:*"
    grace_s: float = Field(AirConfig.grace_s, ge=0, le=60)
    speed: float | None = Field(None, ge=0.01, le=1e6)
    devices: list[DeviceTable] = Field(min_length=1, max_length=MAX_DEVICES)
    # Absent joins every device to every other one.
    paths: list[PathTable] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> AirSettings:
        AirConfig.from_dict(self.document())
        return self

    def document(self) -> dict[str, Any]:
        """What ``semcom_blocks.air`` takes."""
        return self.model_dump(by_alias=True)


def pair(
    kind: Kind, address: str = DEFAULT_ADDRESS, ppm: float = DEFAULT_PPM
) -> list[dict[str, Any]]:
    """Radios "a" and "b" on ``address`` and the next one, ``ppm`` fast and as much slow."""
    try:
        first = ipaddress.IPv4Address(address)
        addresses = [str(first), str(first + 1)]
    except ValueError:
        raise ConfigError(
            f"address is {address!a:.60}, permitted: 127.0.0.1 to 127.255.255.253"
        ) from None
    return [
        {"name": name, "kind": kind, "address": at, "clock_ppm": error}
        for name, at, error in zip("ab", addresses, (ppm, -ppm), strict=True)
    ]


def load_air(
    file: str | Path | None = None, overrides: Mapping[str, Any] | None = None
) -> AirSettings:
    """The air of a TOML file with ``overrides`` on top; ``ConfigError``, one line."""
    tables = merge(read_toml(file) if file is not None else {}, overrides or {})
    return check_air(tables)


def check_air(tables: Mapping[str, Any]) -> AirSettings:
    """The air that ``tables`` describe; ``ConfigError``, one line."""
    try:
        return AirSettings.model_validate(dict(tables))
    except ValidationError as error:
        raise explain(AirSettings, error) from None
