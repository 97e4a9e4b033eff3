# SPDX-License-Identifier: GPL-3.0-or-later
"""One job at the sender: what was asked for, and what became of it.

ACCEPTED --arq result--> ENDING --radio took the last sample--> done
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError, require_range

#: Analog streams of one job; each costs a descriptor in the message.
MAX_STREAMS = 16


@dataclass
class Transmission:
    """Job as requested, and its counters as the blocks report them."""

    job_id: int
    prompt: str
    descriptors: tuple[tuple[int, dict[str, Any]], ...]
    streams: dict[int, np.ndarray]
    frames_total: int = 0
    frames_sent: int = 0
    samples_sent: int = 0
    packets_sent: int = 0
    retransmissions: int = 0
    delivered: bool | None = None
    resolved: bool = False
    done: bool = False
    error: str | None = None
    _energy: float = field(default=0.0, repr=False)
    _papr_db: float = field(default=-math.inf, repr=False)

    @classmethod
    def from_request(
        cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> "Transmission":
        """Check a ``transmit`` request; raises :class:`ConfigError` naming what is wrong."""
        job_id = int(require_range("job_id", meta["job_id"], 0, 0xFFFF))
        prompt = meta["prompt"]
        if not isinstance(prompt, str):
            raise ConfigError(f"prompt is {type(prompt).__name__}, permitted: text")
        entries = meta.get("streams", [])
        if not isinstance(entries, list) or len(entries) > MAX_STREAMS:
            raise ConfigError(f"streams are not a list of 0 to {MAX_STREAMS} entries")
        streams, descriptors = {}, []
        for entry in entries:
            stream_id = int(require_range("stream_id", entry["stream_id"], 0, 0xFF))
            symbols = arrays[f"stream_{stream_id}"]
            if symbols.dtype != np.complex64 or symbols.ndim != 1 or not len(symbols):
                kind = f"{symbols.dtype} {symbols.shape}"
                raise ConfigError(f"stream_{stream_id} is {kind}, permitted: complex64 (n,), n > 0")
            if not np.isfinite(symbols.view(np.float32)).all():
                raise ConfigError(f"stream_{stream_id} has values that are not finite")
            streams[stream_id] = symbols
            descriptors.append((stream_id, dict(entry["descriptor"])))
        return cls(job_id, prompt, tuple(descriptors), streams)

    def on_status(self, status: Mapping[str, Any]) -> None:
        """Take a report: of the ARQ sender, the framer, the modulator or the radio."""
        if "arq" in status:
            self.resolved = True
            self.delivered = {"delivered": True, "failed": False}.get(status["arq"])
            self.packets_sent = int(status["packets_sent"])
            self.retransmissions = int(status["retransmissions"])
            self.error = status.get("error")
        if "frames_total" in status:
            self.frames_total = int(status["frames_total"])
        if "frame_samples" in status:
            # Frames that close the job carry no payload and are sent in threes: not counted.
            self.frames_sent += not status.get("end", False)
            self.samples_sent += int(status["frame_samples"])
            self._energy += float(status["power"]) * int(status["frame_samples"])
            self._papr_db = max(self._papr_db, float(status["papr_db"]))
        if status.get("job_end"):
            self.done = True

    def report(self) -> dict[str, Any]:
        """What the host is told, as in ``tx_progress`` and ``tx_done``."""
        return {
            "job_id": self.job_id,
            "delivered": self.delivered,
            "packets_sent": self.packets_sent,
            "retransmissions": self.retransmissions,
            "frames_sent": self.frames_sent,
            "frames_total": max(self.frames_total, self.frames_sent),
            "samples_sent": self.samples_sent,
            "papr_db": self._papr_db if math.isfinite(self._papr_db) else 0.0,
            "power": self._energy / self.samples_sent if self.samples_sent else 0.0,
            "error": self.error,
        }
