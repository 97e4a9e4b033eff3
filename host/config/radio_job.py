# SPDX-License-Identifier: GPL-3.0-or-later
"""What one radio process needs to know of a run, as the JSON file it is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from host.config.models import RADIO_FILE_PREFIX, NetworkConfig, RunConfig
from semcom_blocks.phy.numerology import Numerology

#: Turned in the run's seed for the channel of the way back; outside the seeds of short series.
RETURN_SEED_BIT = 1 << 30
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Endpoints:
    """ZMQ addresses of one side, ``tcp://address:port``."""

    source: str
    sink: str
    samples: str
    feedback: str
    return_samples: str

    @classmethod
    def of(cls, network: NetworkConfig, role: Literal["tx", "rx"]) -> Endpoints:
        """The receiver binds samples and feedback, the sender connects to them.

        Source and sink stay on loopback: the host pipeline that talks to them runs
        beside the radio.
        """
        air = network.peer if role == "tx" else network.bind
        return cls(
            source=f"tcp://127.0.0.1:{network.source_port}",
            sink=f"tcp://127.0.0.1:{network.sink_port}",
            samples=f"tcp://{air}:{network.samples_port}",
            feedback=f"tcp://{air}:{network.feedback_port}",
            return_samples=f"tcp://{air}:{network.return_port}",
        )


def _absolute(spec: str) -> str:
    """The radio runs in another folder than the user, so his path must not be relative."""
    if not spec.startswith(RADIO_FILE_PREFIX):
        return spec
    return RADIO_FILE_PREFIX + str(Path(spec[len(RADIO_FILE_PREFIX) :]).absolute())


#: Fields of the run's radio that make a radio process's ``front`` table.
FRONT_FIELDS = (
    "center_freq_hz",
    "return_freq_hz",
    "tx_gain_db",
    "rx_gain_db",
    "bandwidth_hz",
    "lo_offset_hz",
    "drive_dbfs",
    "tx_antenna",
    "rx_antenna",
    "cyclic",
    "buffer_samples",
    "kernel_buffers",
    "profile",
)


def _spec_of(run: RunConfig, role: Literal["tx", "rx"]) -> str:
    """The radio of one side."""
    own = run.radio.rx_spec if role == "rx" else None
    return run.radio.spec if own is None else own


def _front(run: RunConfig) -> dict[str, Any]:
    front = {name: getattr(run.radio, name) for name in FRONT_FIELDS}
    profile = front["profile"]
    if profile not in (None, "none"):
        front["profile"] = str(Path(profile).absolute())
    return front


def _recording(run: RunConfig, role: Literal["tx", "rx"]) -> dict[str, Any] | None:
    kept = run.recording
    if kept.path is None or kept.side != role:
        return None
    # The radio runs in another folder than the user.
    return {"path": str(Path(kept.path).absolute()), "max_bytes": int(kept.max_mb * MEGABYTE)}


def _channel(run: RunConfig, role: Literal["tx", "rx"]) -> dict[str, Any] | None:
    """The software channel of one side; the way back has offsets of the other sign."""
    silent = role == "rx" and run.link.feedback != "air"
    if silent or run.channel.model == "none" or run.radio.is_hardware:
        return None
    numerology = Numerology(**run.numerology.model_dump(), sample_rate_hz=run.radio.sample_rate_hz)
    channel = {
        **run.channel.model_dump(),
        "seed": run.seed,
        "sample_rate_hz": numerology.sample_rate_hz,
        "symbol_energy": numerology.symbol_energy,
    }
    if role == "rx":
        # Another frequency fades on its own; the oscillators are the same two.
        channel |= {"seed": run.seed ^ RETURN_SEED_BIT}
        channel |= {name: -channel[name] for name in ("cfo_hz", "sro_ppm")}
    return channel


def radio_job(
    run: RunConfig,
    role: Literal["tx", "rx"],
    *,
    repeatable: bool = False,
    host_endpoint: str | None = None,
) -> dict[str, Any]:
    """The dictionary for ``python3 -m semcom_blocks.radio ROLE --config FILE.json``.

    ``repeatable``: take the ARQ's session number from the seed, so that two runs send
    the same packets. Only for a receiver that starts with the sender: one that runs on
    would take the second run for the first's echo.

    ``host_endpoint``: of the model service, where it is not on the run's own port.

    ``channel`` lies between a process's transmitter and the simulated air; ``None`` before a
    real radio, with model ``none``, and at a receiver that sends nothing back through the air.
    """
    endpoints = Endpoints.of(run.network, role)
    return {
        "role": role,
        "radio": _absolute(_spec_of(run, role)),
        "sample_rate_hz": run.radio.sample_rate_hz,
        "numerology": run.numerology.model_dump(),
        "channel": _channel(run, role),
        "link": {**run.link.model_dump(), "session": run.seed if repeatable else None},
        "level": run.level.model_dump(),
        "front": _front(run),
        "recording": _recording(run, role),
        "endpoints": {
            "source": endpoints.source,
            "sink": endpoints.sink,
            "samples": endpoints.samples,
            "feedback": endpoints.feedback,
            "return_samples": endpoints.return_samples,
            "host": host_endpoint or f"tcp://127.0.0.1:{run.network.host_port}",
        },
        "estimator": run.radio.estimator,
        "estimator_deadline_s": run.radio.estimator_deadline_s,
        "equalizer": run.radio.equalizer,
        "allow_remote": run.network.bind != NetworkConfig().bind,
    }
