# SPDX-License-Identifier: GPL-3.0-or-later
"""The curves by name.

Each is a module with ``measure(numerology, rng, n_frames, …)``, a pure function that returns
arrays over frames which may be joined with those of more frames, ``summarise(arrays)``,
which makes figures with confidence intervals of them, and ``CHUNK``, frames of one task.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from host.bench.link import (
    analog,
    ber,
    cfo,
    detection,
    envelope,
    false_alarms,
    nmse,
    packets,
    picture,
    snr_estimate,
    sro,
)
from semcom_blocks.phy.numerology import Numerology


class Curve(Protocol):
    """What a curve's module has."""

    CHUNK: int

    def measure(
        self, numerology: Numerology, rng: np.random.Generator, n_frames: int, **parameters: Any
    ) -> dict[str, np.ndarray]:
        """Arrays whose first axis may be joined over calls."""

    def summarise(self, raw: dict[str, np.ndarray]) -> dict[str, Any]:
        """Figures of the joined arrays."""


CURVES: dict[str, Curve] = {
    "detection": detection,
    "false_alarms": false_alarms,
    "cfo": cfo,
    "sro": sro,
    "snr_estimate": snr_estimate,
    "ber": ber,
    "packets": packets,
    "analog": analog,
    "nmse": nmse,
    "envelope": envelope,
    "picture": picture,
}
