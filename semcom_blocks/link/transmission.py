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
from semcom_blocks.link.assembler import MAX_JOB_SYMBOLS
from semcom_blocks.link.message import MAX_STREAMS
from semcom_blocks.link.packets import MAX_PACKET_BYTES
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.phy.grid import require_room
from semcom_blocks.phy.interleave import DEFAULT_INTERLEAVER, interleaver_of, naming
from semcom_blocks.phy.numerology import Numerology

#: Largest symbol, where the average has unit power: 60 dB above it is a mistake, not a peak.
MAX_SYMBOL = 1e3


def _number(name: str, value: Any, high: int) -> int:
    if type(value) is not int:
        raise ConfigError(f"{name} is {value!r}, permitted: 0 to {high}")
    return int(require_range(name, value, 0, high))


def _checked(stream_id: int, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The symbols of a stream, complex64 (n,), finite."""
    name = f"stream_{stream_id}"
    if name not in arrays:
        raise ConfigError(f"{name} is missing, permitted: complex64 (n,)")
    symbols = arrays[name]
    if symbols.dtype != np.complex64 or symbols.ndim != 1 or not len(symbols):
        kind = f"{symbols.dtype} {symbols.shape}"
        raise ConfigError(f"{name} is {kind}, permitted: complex64 (n,), n > 0")
    parts = np.abs(symbols.view(np.float32))
    if not np.all(parts <= MAX_SYMBOL):
        peak = f"{parts.max()}, permitted: finite values up to {MAX_SYMBOL:g}"
        raise ConfigError(f"{name} has a value of {peak}")
    return symbols


def _bands(
    entries: Any, streams: Mapping[int, np.ndarray], numerology: Numerology
) -> BandTable | None:
    """The band table of a request, None where it asks for none."""
    if entries is None:
        return None
    table = BandTable.from_list(entries).check(numerology)
    for stream_id in streams:
        if stream_id not in table.stream_ids:
            raise ConfigError(f"stream {stream_id} has no band, permitted: one for each stream")
    for stream_id in table.stream_ids:
        if stream_id not in streams:
            permitted = "a stream of the request"
            raise ConfigError(f"a band is that of stream {stream_id}, permitted: {permitted}")
    require_room(table, MAX_PACKET_BYTES, numerology)
    return table


@dataclass
class Transmission:
    """Job as requested, and its counters as the blocks report them.

    ``band_snr_db``: what the receiver last told of each band, empty before that.
    """

    job_id: int
    prompt: str
    descriptors: tuple[tuple[int, dict[str, Any]], ...]
    streams: dict[int, np.ndarray]
    bands: BandTable | None = None
    frames_total: int = 0
    frames_sent: int = 0
    samples_sent: int = 0
    packets_sent: int = 0
    retransmissions: int = 0
    delivered: bool | None = None
    done: bool = False
    error: str | None = None
    round_trip_s: float | None = None
    band_snr_db: list[float] = field(default_factory=list)
    _energy: float = field(default=0.0, repr=False)
    _papr_db: float = field(default=-math.inf, repr=False)

    @classmethod
    def from_request(
        cls,
        meta: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        numerology: Numerology | None = None,
        interleaver: str = DEFAULT_INTERLEAVER,
    ) -> "Transmission":
        """Check a ``transmit`` request; raises :class:`ConfigError` naming what is wrong.

        A descriptor gets the length of its stream as ``n``, by which the receiver knows
        what is missing at the end; one that claims another length is refused.  It also names the
        stream's ``interleaver``, unless the request chose one.  ``bands``, if the request has
        them, must fit into the data carriers of ``numerology`` and name every stream.
        """
        job_id = _number("job_id", meta.get("job_id"), 0xFFFF)
        prompt = meta.get("prompt")
        if not isinstance(prompt, str):
            raise ConfigError(f"prompt is {type(prompt).__name__}, permitted: text")
        entries = meta.get("streams", [])
        if not isinstance(entries, list) or len(entries) > MAX_STREAMS:
            raise ConfigError(f"streams are not a list of 0 to {MAX_STREAMS} entries")
        streams: dict[int, np.ndarray] = {}
        descriptors = []
        for entry in entries:
            if not isinstance(entry, Mapping):
                raise ConfigError(f"stream is {type(entry).__name__}, permitted: a table")
            stream_id = _number("stream_id", entry.get("stream_id"), 0xFF)
            if stream_id in streams:
                raise ConfigError(f"stream_id {stream_id} is there twice, permitted: once")
            streams[stream_id] = _checked(stream_id, arrays)
            descriptor = entry.get("descriptor")
            if not isinstance(descriptor, Mapping):
                kind = type(descriptor).__name__
                raise ConfigError(f"descriptor {stream_id} is {kind}, permitted: a table")
            length = len(streams[stream_id])
            if descriptor.get("n", length) != length:
                claim = f"n of descriptor {stream_id} is {descriptor['n']!r}"
                raise ConfigError(f"{claim}, permitted: {length}, the symbols of its stream")
            interleaver_of(descriptor)
            told = naming(interleaver) | dict(descriptor) | {"n": length}
            descriptors.append((stream_id, told))
        if sum(map(len, streams.values())) > MAX_JOB_SYMBOLS:
            raise ConfigError(f"streams exceed {MAX_JOB_SYMBOLS} symbols in all")
        bands = _bands(meta.get("bands"), streams, numerology or Numerology())
        return cls(job_id, prompt, tuple(descriptors), streams, bands)

    def on_status(self, status: Mapping[str, Any]) -> None:
        """Take a report: of the ARQ sender, the framer, the modulator or the radio."""
        if "arq" in status:
            self.delivered = {"delivered": True, "failed": False}.get(status["arq"])
            self.packets_sent = int(status["packets_sent"])
            self.retransmissions = int(status["retransmissions"])
            self.error = status.get("error")
            self.round_trip_s = status.get("round_trip_s")
        if "band_snr_db" in status:
            self.band_snr_db = list(map(float, status["band_snr_db"]))
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
            "round_trip_s": self.round_trip_s,
            "band_snr_db": self.band_snr_db,
        }
