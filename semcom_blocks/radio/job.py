# SPDX-License-Identifier: GPL-3.0-or-later
"""What a radio process is told to do: one JSON file, checked whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.errors import ConfigError, require_choice, require_range
from semcom_blocks.link.arq import TIMERS, ArqConfig
from semcom_blocks.phy import equalizer, estimators
from semcom_blocks.phy.framer import DEFAULT_ANALOG_PER_FRAME, MAX_ANALOG_PER_FRAME
from semcom_blocks.phy.interleave import DEFAULT_INTERLEAVER, INTERLEAVERS
from semcom_blocks.phy.modulator import TransmitLevel
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.precoding import DEFAULT_PRECODING, PRECODINGS
from semcom_blocks.recording.writer import DEFAULT_LIMIT_BYTES, MAX_LIMIT_BYTES, MIN_LIMIT_BYTES
from semcom_blocks.remote_estimator import DEADLINE_S, DEFAULT_ENDPOINT, check_deadline

ROLES = ("tx", "rx")
FEEDBACKS = ("zmq", "air", "none")
#: What any radio can be asked for; the radio itself then says what it can do.
FRONT_RANGES = {
    "center_freq_hz": (1e6, 1e10),
    "return_freq_hz": (1e6, 1e10),
    "tx_gain_db": (-90.0, 100.0),
    "rx_gain_db": (-20.0, 100.0),
    "bandwidth_hz": (1e4, 1e9),
    "lo_offset_hz": (-1e8, 1e8),
    # 60 dB down a 12-bit converter has nothing left of the signal.
    "drive_dbfs": (-60.0, 0.0),
    # A frame's header does not fit into less; a second at 61.44 MS/s is more than a Pluto can lend.
    "buffer_samples": (256, 2**26),
    "kernel_buffers": (2, 64),
}


def _build(kind: type, name: str, values: Any, **extra: Any) -> Any:
    """Make a dataclass from a mapping.

    Raises :class:`ConfigError` for unknown keys and values of another type than the field's.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{name} is {values!r}, permitted: a table")
    hints = get_type_hints(kind)
    known = [key for key in hints if key not in extra]
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{name} has unknown key {key!r}, permitted: {sorted(known)}")
        _check_type(f"{name}.{key}", value, hints[key])
    return kind(**values, **extra)


def _check_type(name: str, value: Any, hint: Any) -> None:
    choices = get_args(hint) if isinstance(hint, UnionType) else (get_origin(hint) or hint,)
    types = (*choices, int) if float in choices else choices
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        wanted = " or ".join("null" if t is NoneType else t.__name__ for t in choices)
        raise ConfigError(f"{name} is {value!r}, permitted: {wanted}")


@dataclass(frozen=True)
class Endpoints:
    """ZeroMQ endpoints of a radio process."""

    source: str = "tcp://127.0.0.1:5560"
    sink: str = "tcp://127.0.0.1:5561"
    feedback: str = "tcp://127.0.0.1:5562"
    samples: str = "tcp://127.0.0.1:5563"
    return_samples: str = "tcp://127.0.0.1:5564"
    host: str = DEFAULT_ENDPOINT


@dataclass(frozen=True)
class Link:
    """Framing and ARQ settings of a process.

    ``feedback``: how acknowledgements come back: ``zmq`` beside the air, ``air`` through it on
    the return frequency, ``none`` not at all.
    ``repeats``: copies of each packet without feedback.  ``idle_timeout_s``: silence, 0.1 s to
    an hour, after which the receiver closes a job.  ``session`` fixes the ARQ's random tag.
    ``interleaver`` of the analog streams and ``precoding`` of their frames, as a sender makes
    them: a receiver finds both in what it receives.
    """

    feedback: str = "zmq"
    repeats: int = 3
    arq: Mapping[str, Any] = field(default_factory=dict)
    analog_per_frame: int = DEFAULT_ANALOG_PER_FRAME
    idle_timeout_s: float = 3.0
    session: int | None = None
    interleaver: str = DEFAULT_INTERLEAVER
    precoding: str = DEFAULT_PRECODING

    def __post_init__(self) -> None:
        require_choice("feedback", self.feedback, FEEDBACKS)
        require_range("analog_per_frame", self.analog_per_frame, 1, MAX_ANALOG_PER_FRAME)
        require_range("idle_timeout_s", self.idle_timeout_s, 0.1, 3600.0)
        require_choice("interleaver", self.interleaver, INTERLEAVERS)
        require_choice("precoding", self.precoding, PRECODINGS)
        if self.session is not None:
            require_range("session", self.session, 0, 2**32 - 1)
        self.arq_config()

    def arq_config(self) -> ArqConfig:
        """The ARQ's own configuration; timers that are not given suit the feedback."""
        has_feedback = self.feedback != "none"
        given = {key: value for key, value in self.arq.items() if value is not None}
        timers = {key: value for key, value in TIMERS[self.feedback].items() if key not in given}
        known = {"feedback": has_feedback, "repeats": self.repeats, **timers}
        return _build(ArqConfig, "arq", given, **known)


@dataclass(frozen=True)
class FrontEnd:
    """How a Pluto or USRP is tuned; ``None`` leaves it to the calibration profile or the kind.

    ``center_freq_hz`` of the link, ``return_freq_hz`` of acknowledgements over the air.
    ``tx_gain_db`` as the driver counts it: 0 down to -89.75 on a Pluto, 0 upwards on a USRP.
    ``bandwidth_hz`` of the analog filters; the sample rate where ``None``.
    ``lo_offset_hz``: the oscillators stand this far above the centre, and the samples are
    shifted back, so that leakage and DC fall outside the signal.
    ``drive_dbfs``: mean power of the samples handed to the converter, of which full scale is 0.
    ``cyclic``: hand over one job and let the radio repeat it.
    ``buffer_samples``, ``kernel_buffers``: of libiio; short ones keep the round trip short.
    ``profile``: a calibration profile or a folder of them; ``None`` is the project's own
    folder, ``"none"`` uses none.
    """

    center_freq_hz: float = 2.45e9
    return_freq_hz: float = 2.47e9
    tx_gain_db: float | None = None
    rx_gain_db: float | None = None
    bandwidth_hz: float | None = None
    lo_offset_hz: float = 0.0
    drive_dbfs: float = -12.0
    tx_antenna: str | None = None
    rx_antenna: str | None = None
    cyclic: bool = False
    buffer_samples: int | None = None
    kernel_buffers: int = 4
    profile: str | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in FRONT_RANGES.items():
            value = getattr(self, name)
            if value is not None:
                require_range(name, value, low, high)


@dataclass(frozen=True)
class Recording:
    """Where a process keeps what is on the air: the SigMF pair ``path``, at most ``max_bytes``."""

    path: str
    max_bytes: int = DEFAULT_LIMIT_BYTES

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("recording.path is '', permitted: the name of a file")
        require_range("recording.max_bytes", self.max_bytes, MIN_LIMIT_BYTES, MAX_LIMIT_BYTES)


@dataclass(frozen=True)
class RadioJob:
    """Everything that a radio process needs to know."""

    role: str
    radio: str
    numerology: Numerology
    channel: ChannelConfig | None
    link: Link
    endpoints: Endpoints
    level: TransmitLevel
    front: FrontEnd
    recording: Recording | None
    estimator: str
    estimator_deadline_s: float
    equalizer: str
    allow_remote: bool

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RadioJob":
        """Check a parsed JSON object; raises :class:`ConfigError` naming what is wrong."""
        rest = dict(values)
        radio, allow_remote = rest.pop("radio", "sim"), rest.pop("allow_remote", False)
        _check_type("radio", radio, str)
        _check_type("allow_remote", allow_remote, bool)
        numerology = rest.pop("numerology", {})
        if "sample_rate_hz" in rest and isinstance(numerology, Mapping):
            numerology = {**numerology, "sample_rate_hz": rest.pop("sample_rate_hz")}
        channel = rest.pop("channel", None)
        recording = rest.pop("recording", None)
        job = cls(
            role=require_choice("role", rest.pop("role", ""), ROLES),
            radio=radio,
            numerology=_build(Numerology, "numerology", numerology),
            channel=None if channel is None else ChannelConfig.from_dict(channel),
            link=_build(Link, "link", rest.pop("link", {})),
            endpoints=_build(Endpoints, "endpoints", rest.pop("endpoints", {})),
            level=_build(TransmitLevel, "level", rest.pop("level", {})),
            front=_build(FrontEnd, "front", rest.pop("front", {})),
            recording=None if recording is None else _build(Recording, "recording", recording),
            estimator=require_choice(
                "estimator", rest.pop("estimator", "lmmse"), estimators.CHOICES
            ),
            estimator_deadline_s=check_deadline(rest.pop("estimator_deadline_s", DEADLINE_S)),
            equalizer=require_choice("equalizer", rest.pop("equalizer", "mmse"), equalizer.METHODS),
            allow_remote=allow_remote,
        )
        if rest:
            raise ConfigError(f"radio job has unknown key {sorted(rest)[0]!r}")
        if job.link.feedback == "air" and job.radio.startswith("file:"):
            raise ConfigError("feedback is 'air' with a recording, permitted: zmq, none")
        return job

    @classmethod
    def from_file(cls, path: Path) -> "RadioJob":
        """Read and check a JSON file."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"radio job {path} cannot be read: {error}") from None
        if not isinstance(values, dict):
            raise ConfigError(f"radio job {path} is not a JSON object")
        return cls.from_dict(values)
