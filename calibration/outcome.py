# SPDX-License-Identifier: GPL-3.0-or-later
"""What a calibration found, as records, as sections of a profile, as a report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from calibration.frequency import xo_correction_hz
from calibration.gain import Point
from calibration.imbalance import Imbalance
from calibration.plan import Settings
from calibration.profile import Sections


@dataclass(frozen=True)
class Clocks:
    """The radio's crystal against the reference's, positive where it is fast."""

    error_ppm: float
    rate_error_ppm: float  # from the spacing of two tones
    line_db: float  # the weaker tone over the noise in its FFT bin


@dataclass(frozen=True)
class Mixer:
    """One side's imbalance, and its image and DC once corrected, measured on a new record."""

    found: Imbalance
    corrected_image_dbc: float
    corrected_offset_dbfs: float
    spectra: dict[str, np.ndarray] = field(default_factory=dict)  # for the plot


@dataclass(frozen=True)
class Way:
    """From converter to converter."""

    samples: float
    rate_hz: float
    snr_db: float
    correlation_db: np.ndarray  # around its peak, for the plot
    lags: np.ndarray


@dataclass(frozen=True)
class Floor:
    """The receiver with nothing on its input."""

    floor_dbfs: float
    floor_dbm: float  # by the kind's nominal level, not a measured one
    noise_figure_db: float
    snr_db: float | None  # of the tone at these gains, if a tone was heard
    rx_db: float


@dataclass
class Outcome:
    """Everything; ``None`` is what was not measured."""

    kind: str
    serial: str
    name: str
    settings: Settings
    xo_hz: float | None = None  # what the driver believed while it was measured
    reference: str | None = None
    heard: str | None = None  # whose signal levels and images were measured with
    clocks: Clocks | None = None
    drift_ppm: float | None = None
    points: list[Point] = field(default_factory=list)
    best: Point | None = None
    rx: Mixer | None = None
    tx: Mixer | None = None
    blind_image_dbc: float | None = None
    way: Way | None = None
    floor: Floor | None = None
    notes: list[str] = field(default_factory=list)

    def sections(self) -> Sections:
        """What goes into the profile."""
        made: Sections = {}
        if self.clocks is not None:
            made["frequency"] = {"error_ppm": self.clocks.error_ppm}
            if self.xo_hz is not None:
                xo_hz = xo_correction_hz(self.clocks.error_ppm, self.xo_hz)
                made["frequency"]["xo_correction"] = xo_hz
            made["rate"] = {"error_ppm": self.clocks.rate_error_ppm}
        if self.best is not None:
            made["gain"] = {"rx_db": self.best.rx_db}
            if self.heard == self.name:  # else it is the reference's
                made["gain"] = {"tx_db": self.best.tx_db, **made["gain"]}
        for side, mixer in (("tx", self.tx), ("rx", self.rx)):
            if mixer is None:
                continue
            offset = mixer.found.offset
            made.setdefault("dc", {}).update({f"{side}_i": offset.real, f"{side}_q": offset.imag})
            k = mixer.found.conjugate
            made[f"iq.{side}"] = {
                "amplitude": mixer.found.amplitude,
                "phase_rad": mixer.found.phase_rad,
                "conjugate": [k.real, k.imag],
            }
        if self.way is not None:
            made["delay"] = {"samples": self.way.samples, "sample_rate_hz": self.way.rate_hz}
        if self.floor is not None and self.floor.snr_db is not None:
            made["noise"] = {"floor_dbfs": self.floor.floor_dbfs, "snr_db": self.floor.snr_db}
        return made

    def report(self) -> dict[str, Any]:
        """Everything but the curves, for JSON: what is not finite is ``None``."""
        return _plain(self._report())

    def _report(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "kind": self.kind,
            "serial": self.serial,
            "radio": self.name,
            "reference": self.reference,
            "heard": self.heard,
            **dataclasses.asdict(self.settings),
            "profile": self.sections(),
            "notes": self.notes,
        }
        if self.clocks is not None:
            document["clocks"] = dataclasses.asdict(self.clocks)
        if self.drift_ppm is not None:
            document["drift_ppm"] = self.drift_ppm
        document["gain_sweep"] = [dataclasses.asdict(point) for point in self.points]
        for side, mixer in (("tx", self.tx), ("rx", self.rx)):
            if mixer is not None:
                document[f"image_{side}"] = {
                    "before_dbc": mixer.found.image_dbc,
                    "after_dbc": mixer.corrected_image_dbc,
                    "offset_before_dbfs": _dbfs(mixer.found.offset),
                    "offset_after_dbfs": mixer.corrected_offset_dbfs,
                }
        if self.blind_image_dbc is not None:
            document["blind_image_dbc"] = self.blind_image_dbc
        if self.way is not None:
            document["delay_snr_db"] = self.way.snr_db
        if self.floor is not None:
            document["floor"] = dataclasses.asdict(self.floor)
        return document


def _plain(value: Any) -> Any:
    """Python's own numbers, rounded to what is meant, in the same nesting."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 9) if np.isfinite(value) else None
    return value


def _dbfs(value: complex) -> float:
    return 20 * float(np.log10(max(abs(value), 1e-6)))
