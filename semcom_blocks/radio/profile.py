# SPDX-License-Identifier: GPL-3.0-or-later
"""The calibration profile of one radio, as ``./semcom calibrate`` writes it: a TOML file.

    schema = 1
    serial = "…"
    kind = "pluto" | "usrp"
    [frequency]  error_ppm, xo_correction     crystal's error; the Pluto's own correction in Hz
    [gain]       tx_db, rx_db                 recommended
    [dc]         tx_i, tx_q, rx_i, rx_q       offsets in full scale
    [iq.tx], [iq.rx]  conjugate = [re, im]    k of phy.frontend

Whatever is absent is not corrected; what else stands in the file is for people.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semcom_blocks.errors import ConfigError

SCHEMA = 1
#: Where profiles lie unless a run says otherwise, each as ``SERIAL.toml``.
FOLDER = Path(__file__).resolve().parents[2] / "calibration" / "profiles"
NONE = "none"
FILE_BYTES_MAX = 1 << 16
#: What a number in a profile may be; beyond it the file is damaged or another radio's.
_LIMITS = {
    "error_ppm": 200.0,  # four times a bad crystal
    "xo_correction": 1e9,
    "tx_db": 100.0,
    "rx_db": 100.0,
    "offset": 1.0,  # full scale
    "conjugate": 0.5,  # an image 6 dB below the signal
}


@dataclass(frozen=True)
class Profile:
    """``error_ppm`` > 0: the crystal is fast, so that a carrier set to f comes out above f."""

    path: Path | None = None
    error_ppm: float = 0.0
    xo_correction_hz: int | None = None
    tx_gain_db: float | None = None
    rx_gain_db: float | None = None
    tx_offset: complex = 0j
    rx_offset: complex = 0j
    tx_conjugate: complex = 0j
    rx_conjugate: complex = 0j

    def lo_hz(self, wanted_hz: float) -> float:
        """What to ask of the driver so that ``wanted_hz`` comes out."""
        if self.xo_correction_hz is not None:  # the driver corrects by itself then
            return wanted_hz
        return wanted_hz / (1.0 + self.error_ppm * 1e-6)


def load_profile(where: str | None, serial: str, kind: str) -> Profile:
    """The profile of the radio with this serial number.

    ``where`` is a file, a folder, ``"none"``, or ``None`` for the project's folder.  No file
    for the radio means no correction, but a file that was named must be there and be this
    kind's.  Raises :class:`ConfigError`.
    """
    if where == NONE:
        return Profile()
    path = FOLDER if where is None else Path(where)
    if path.is_dir() or where is None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", serial):  # must not lead out of the folder
            return Profile()
        path = path / f"{serial}.toml"
        if not path.is_file():
            return Profile()
    tables = _read(path)
    if tables.get("kind", kind) != kind:
        raise ConfigError(f"profile {path} is of a {tables['kind']!r}, permitted: {kind}")
    if tables.get("serial", serial) != serial:
        raise ConfigError(
            f"profile {path} is of serial {tables['serial']!r}, permitted: {serial!r}, this radio's"
        )
    return _profile(path, tables)


def _read(path: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:
        raise ConfigError(f"profile {path} needs Python 3.11 or newer, or profile none") from None
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(f"profile {path} is no profile: over {FILE_BYTES_MAX} bytes")
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except ConfigError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"profile {path} cannot be read: {text}") from None
    if tables.get("schema") != SCHEMA:
        found = tables.get("schema")
        raise ConfigError(f"profile {path} has schema {found!r}, permitted: {SCHEMA}")
    return tables


def _profile(path: Path, tables: dict[str, Any]) -> Profile:
    def number(value: Any, name: str, limit: str) -> float:
        high = _LIMITS[limit]
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not good or not math.isfinite(value) or abs(value) > high:
            raise ConfigError(
                f"profile {path}: {name} is {value!r}, permitted: {-high:g} to {high:g}"
            )
        return float(value)

    def table(*names: str) -> Mapping[str, Any]:
        found: Any = tables
        for name in names:
            found = found.get(name, {})
            if not isinstance(found, Mapping):
                raise ConfigError(f"profile {path}: {name} is {found!r:.60}, permitted: a table")
        return found

    def optional(rows: Mapping[str, Any], name: str) -> float | None:
        return None if rows.get(name) is None else number(rows[name], name, name)

    def offset(side: str) -> complex:
        rows = table("dc")
        parts = (number(rows.get(f"{side}_{p}", 0.0), f"{side}_{p}", "offset") for p in "iq")
        return complex(*parts)

    def conjugate(side: str) -> complex:
        pair = table("iq", side).get("conjugate", [0.0, 0.0])
        if not isinstance(pair, list) or len(pair) != 2:
            raise ConfigError(f"profile {path}: conjugate is {pair!r:.60}, permitted: [re, im]")
        return complex(*(number(part, "conjugate", "conjugate") for part in pair))

    frequency, gain = table("frequency"), table("gain")
    xo_hz = optional(frequency, "xo_correction")
    return Profile(
        path=path,
        error_ppm=optional(frequency, "error_ppm") or 0.0,
        xo_correction_hz=None if xo_hz is None else round(xo_hz),
        tx_gain_db=optional(gain, "tx_db"),
        rx_gain_db=optional(gain, "rx_db"),
        tx_offset=offset("tx"),
        rx_offset=offset("rx"),
        tx_conjugate=conjugate("tx"),
        rx_conjugate=conjugate("rx"),
    )
