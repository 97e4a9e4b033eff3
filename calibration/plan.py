# SPDX-License-Identifier: GPL-3.0-or-later
"""Which measurements, in which order, and what each needs."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.errors import NoReference
from semcom_blocks.errors import ConfigError, require_choice, require_range

#: In the order of work: clocks first, since what follows may be tuned by them, then levels.
STEPS = ("frequency", "rate", "gain", "imbalance", "delay", "noise")
#: A radio has one crystal; against its own signal it is always right.
NEED_REFERENCE = ("frequency", "rate")


@dataclass(frozen=True)
class Settings:
    """Where and how is measured.

    rate_hz, center_freq_hz   of the link that is calibrated
    samples                   of a record; the frequency's precision grows with its power 1.5
    """

    rate_hz: float = 2.5e6
    center_freq_hz: float = 2.45e9
    samples: int = 1 << 16

    def __post_init__(self) -> None:
        require_range("rate_hz", self.rate_hz, 1e5, 61.44e6)
        require_range("center_freq_hz", self.center_freq_hz, 1e6, 1e10)
        # Fewer cannot tell 0.5 ppm of a sample rate, more take seconds a record.
        require_range("samples", self.samples, 1 << 14, 1 << 20)


def parse(text: str | None) -> tuple[str, ...] | None:
    """Steps from ``frequency,gain``, in the order of work; ``None`` stays ``None``."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    for name in names:
        require_choice("step", name, STEPS)
    if len(set(names)) != len(names):
        raise ConfigError(f"steps are {text!a:.80}, permitted: each once")
    return tuple(step for step in STEPS if step in names)


def choose(only: tuple[str, ...] | None, has_reference: bool) -> tuple[str, ...]:
    """The steps to take; :class:`NoReference` where one was asked for that needs it."""
    if only is None:
        return tuple(step for step in STEPS if has_reference or step not in NEED_REFERENCE)
    for step in only:
        if step in NEED_REFERENCE and not has_reference:
            raise NoReference(
                f"{step} needs the clock of a second radio, permitted: --reference pluto:URI or "
                "usrp:ARGS"
            )
    return only
