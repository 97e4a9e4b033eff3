# SPDX-License-Identifier: GPL-3.0-or-later
"""All figures of a run as one JSON document; its keys are in the package's docstring."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from host.bench.link.curves import CURVES
from host.bench.link.intervals import CONFIDENCE
from host.bench.link.paths import SPREADS, THREE_TAPS
from host.bench.link.remarks import remarks
from host.bench.link.runner import Point
from host.bench.link.targets import Records, verdicts
from host.versions import project_version
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.numerology import Numerology

#: Significant digits of a figure in the document: more than any sample supports.
DIGITS = 6


def curves_of(points: Sequence[Point], figures: Sequence[dict[str, Any]]) -> dict[str, Records]:
    """Records of each curve: a point's parameters and its figures."""
    found: dict[str, Records] = {name: [] for name in CURVES}
    for point, figure in zip(points, figures, strict=True):
        found[point.curve].append({**point.parameters, **figure})
    return found


def build(
    curves: dict[str, Records], numerology: Numerology, seed: int, quick: bool
) -> dict[str, Any]:
    """The document, without what differs from run to run."""
    return {
        "bench": "link",
        "quick": quick,
        "seed": seed,
        "confidence": CONFIDENCE,
        "numerology": asdict(numerology),
        "channels": {"rayleigh-3-tap": list(THREE_TAPS), "spreads_samples": SPREADS},
        "versions": {
            "semcom": project_version(),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("numpy", "scipy")},
        },
        "targets": [asdict(verdict) for verdict in verdicts(curves)],
        "remarks": remarks(curves),
        "curves": curves,
    }


def to_json(document: dict[str, Any]) -> bytes:
    """Strict JSON: what was not measured (NaN, an endless interval) becomes null."""
    return (json.dumps(_finite(document), indent=1, allow_nan=False) + "\n").encode()


def write(path: Path, data: bytes) -> None:
    """Write so that ``path`` holds all of the old or all of the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        text = f"{str(path)!a} cannot be written ({error.strerror}), permitted: a writable file"
        raise ConfigError(text) from None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
