# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile of one radio: a TOML file named after its serial number.

    serial = "…"  kind = "pluto"  created = 2026-01-31T12:00:00Z  schema = 1
    [frequency] error_ppm, xo_correction      radio's crystal against the reference's
    [rate]      error_ppm                     sample clock alike, measured by itself
    [gain]      tx_db, rx_db                  recommended pair
    [dc]        tx_i, tx_q, rx_i, rx_q        offsets in full scale, to be subtracted
    [iq.tx] [iq.rx]  amplitude, phase_rad, conjugate = [re, im]
                                              correction y = x + k x*, k = re + j im
    [delay]     samples, sample_rate_hz       from transmitted to received sample
    [noise]     floor_dbfs, snr_db            at these gains

Only what was measured is in it; a later calibration of a part replaces that part.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from semcom_blocks.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same parser under its earlier name
    import tomli as tomllib

SCHEMA = 1
KINDS = ("pluto", "usrp")
SERIAL_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # a file name, never a path
FILE_BYTES_MAX = 1 << 16  # a profile is a screen of text; more is the wrong file

#: Section -> field -> permitted range.  ``None`` marks the pair of numbers of ``conjugate``.
FIELDS: dict[str, dict[str, tuple[float, float]]] = {
    "frequency": {"error_ppm": (-200.0, 200.0), "xo_correction": (5e6, 3.2e8)},
    "rate": {"error_ppm": (-200.0, 200.0)},
    "gain": {"tx_db": (-90.0, 100.0), "rx_db": (-20.0, 100.0)},
    "dc": dict.fromkeys(("tx_i", "tx_q", "rx_i", "rx_q"), (-1.0, 1.0)),
    "iq.tx": {"amplitude": (0.3, 3.0), "phase_rad": (-1.0, 1.0), "conjugate": (-0.5, 0.5)},
    "iq.rx": {"amplitude": (0.3, 3.0), "phase_rad": (-1.0, 1.0), "conjugate": (-0.5, 0.5)},
    "delay": {"samples": (-1e6, 1e6), "sample_rate_hz": (1e4, 1e9)},
    "noise": {"floor_dbfs": (-200.0, 0.0), "snr_db": (-100.0, 200.0)},
}
PAIRS = ("conjugate",)  # fields of two numbers
#: Fields that may be missing in a section: only a full-duplex radio knows both sides.
OPTIONAL = {("dc", name) for name in ("tx_i", "tx_q", "rx_i", "rx_q")} | {
    ("frequency", "xo_correction"),
    ("gain", "tx_db"),
    ("gain", "rx_db"),
}

Sections = dict[str, dict[str, Any]]


def path_of(folder: Path, serial: str) -> Path:
    """Where the profile of ``serial`` is; :class:`ConfigError` where that is no file name."""
    if not SERIAL_PATTERN.fullmatch(serial):
        raise ConfigError(f"serial is {serial!a:.80}, permitted: {SERIAL_PATTERN.pattern}")
    return folder / f"{serial}.toml"


def read(path: Path) -> dict[str, Any]:
    """A profile, validated; :class:`ConfigError` for anything else.

    The result has ``serial``, ``kind``, ``created``, ``schema`` and ``sections``: dotted name
    of a section → its fields.
    """
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise ConfigError(f"profile {path} has {size} bytes, permitted: 0 to {FILE_BYTES_MAX}")
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"profile {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"profile {path} is not TOML: {error}") from None
    return _checked(document, str(path))


def update(path: Path, serial: str, kind: str, sections: Sections, created: datetime) -> None:
    """Write ``sections`` into the profile at ``path``, keeping what it has of others.

    ``dc`` is merged field by field: a receiver's offsets do not replace a transmitter's.
    """
    kept: Sections = {}
    if path.exists():
        known = read(path)
        if known["serial"] != serial:
            raise ConfigError(f"profile {path} is of {known['serial']}, permitted: {serial}")
        kept = known["sections"]
    merged = {name: dict(values) for name, values in kept.items()}
    for name, values in sections.items():
        base = merged.get(name, {}) if name in ("dc", "gain") else {}
        merged[name] = {**base, **values}
    text = to_toml(serial, kind, merged, created)
    _checked(tomllib.loads(text), str(path))  # what is written can be read
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())
    except OSError as error:
        raise ConfigError(f"profile {path} cannot be written: {error.strerror}") from None


def to_toml(serial: str, kind: str, sections: Sections, created: datetime) -> str:
    """The profile's text."""
    stamp = created.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [f'serial = "{serial}"', f'kind = "{kind}"', f"created = {stamp}"]
    lines.append(f"schema = {SCHEMA}")
    for name in FIELDS:
        if name in sections:
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {_number(value)}" for key, value in sections[name].items()]
    return "\n".join(lines) + "\n"


def _number(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_number, value)) + "]"
    return repr(round(float(value), 9))


def _checked(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    top = {key: document.get(key) for key in ("serial", "kind", "created", "schema")}
    if top["schema"] != SCHEMA:
        raise ConfigError(f"profile {name}: schema is {top['schema']!r}, permitted: {SCHEMA}")
    if not isinstance(top["serial"], str) or not SERIAL_PATTERN.fullmatch(top["serial"]):
        raise ConfigError(
            f"profile {name}: serial is {top['serial']!r:.80}, permitted: {SERIAL_PATTERN.pattern}"
        )
    if top["kind"] not in KINDS:
        raise ConfigError(f"profile {name}: kind is {top['kind']!r}, permitted: {', '.join(KINDS)}")
    if not isinstance(top["created"], (datetime, str)):
        raise ConfigError(f"profile {name}: created is {top['created']!r}, permitted: a time")
    tables = {key: value for key, value in document.items() if key not in top}
    iq = tables.pop("iq", {})
    if isinstance(iq, Mapping):
        tables.update({f"iq.{side}": value for side, value in iq.items()})
    return {**top, "sections": {key: _section(name, key, tables[key]) for key in tables}}


def _section(name: str, section: str, values: Any) -> dict[str, Any]:
    if section not in FIELDS:
        raise ConfigError(f"profile {name}: unknown [{section}], permitted: {', '.join(FIELDS)}")
    known = FIELDS[section]
    if not isinstance(values, Mapping) or not set(values) <= set(known):
        raise ConfigError(f"profile {name}: [{section}] permitted: {', '.join(known)}")
    for key, (low, high) in known.items():
        if key not in values:
            if (section, key) in OPTIONAL:
                continue
            raise ConfigError(f"profile {name}: [{section}] {key} is missing")
        numbers = values[key] if key in PAIRS else [values[key]]
        if key in PAIRS and not (isinstance(numbers, list) and len(numbers) == 2):
            raise ConfigError(f"profile {name}: [{section}] {key} permitted: [re, im]")
        for value in numbers:
            real = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (real and math.isfinite(value) and low <= value <= high):
                raise ConfigError(
                    f"profile {name}: [{section}] {key} is {value!r}, "
                    f"permitted: {low:g} to {high:g}"
                )
    return dict(values)


def write_atomic(path: Path, data: bytes) -> None:
    """``path`` holds all of the old or all of the new, even after a kill."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
