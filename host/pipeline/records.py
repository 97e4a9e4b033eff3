# SPDX-License-Identifier: GPL-3.0-or-later
"""What the radios tell about a job, as frozen records made from their messages."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from host.pipeline.prompt_code import from_air
from semcom_blocks.errors import WireError
from semcom_blocks.wire import Message

STREAM_PICTURE = 0  # JSCC symbols of the picture, whole or coarse
STREAM_EDGES = 1  # bits of its edge map
STREAM_LATENTS = 2  # its latents, analog
CARRIERS_KEPT = 8  # frames of which the SNR of each carrier is kept
FRAMES_LOGGED_MAX = 100_000  # bounds the memory of a receiver that runs for days on one job


def number(value: Any) -> float:
    """``value`` as a float, NaN for what is none."""
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if ok else math.nan


def _numbers(value: Any) -> tuple[float, ...]:
    """A list of numbers as a tuple; empty for anything else."""
    return tuple(number(one) for one in value) if isinstance(value, list) else ()


@dataclass(frozen=True)
class Transmission:
    """The sender's account of a job (``tx_done``). ``delivered`` is ``None`` without feedback."""

    job_id: int
    delivered: bool | None
    packets_sent: int
    retransmissions: int
    frames_sent: int
    samples_sent: int
    papr_db: float
    power: float
    error: str | None
    # Of a packet and its acknowledgement, smoothed; NaN without feedback.
    round_trip_s: float = math.nan
    # Of the job's bands, as acknowledgements told last; empty without bands or feedback.
    band_snr_db: tuple[float, ...] = ()

    @classmethod
    def of(cls, message: Message) -> Transmission:
        """From a ``tx_done`` message; ``WireError`` if it lacks something."""
        delivered = message.meta.get("delivered")
        error = message.meta.get("error")
        return cls(
            job_id=message.value("job_id", int),
            delivered=None if delivered is None else bool(delivered),
            packets_sent=message.value("packets_sent", int),
            retransmissions=message.value("retransmissions", int),
            frames_sent=message.value("frames_sent", int),
            samples_sent=message.value("samples_sent", int),
            papr_db=number(message.meta.get("papr_db")),
            power=number(message.meta.get("power")),
            error=None if error is None else str(error),
            round_trip_s=number(message.meta.get("round_trip_s")),
            band_snr_db=_numbers(message.meta.get("band_snr_db")),
        )


@dataclass(frozen=True)
class ReceivedStream:
    """Equalised symbols of one analog stream.

    ``symbols`` complex64 (k,), ``noise_var`` float32 (k,); what did not arrive is 0
    with infinite variance.
    """

    stream_id: int
    descriptor: dict[str, Any] | None
    symbols: np.ndarray
    noise_var: np.ndarray

    @property
    def erased(self) -> int:
        """Number of symbols that did not arrive."""
        return int(np.count_nonzero(np.isinf(self.noise_var)))

    def filled(self, count: int) -> ReceivedStream:
        """The same stream with exactly ``count`` symbols, the absent ones as erasures.

        Anything not finite is an erasure too: one NaN would spoil the whole picture.
        """
        symbols = np.zeros(count, np.complex64)
        noise_var = np.full(count, np.inf, np.float32)
        have = min(count, len(self.symbols), len(self.noise_var))
        symbols[:have] = self.symbols[:have]
        noise_var[:have] = self.noise_var[:have]
        bad = ~np.isfinite(symbols) | ~(noise_var >= 0)
        symbols[bad], noise_var[bad] = 0, np.inf
        symbols[np.isinf(noise_var)] = 0
        return ReceivedStream(self.stream_id, self.descriptor, symbols, noise_var)


@dataclass(frozen=True)
class Reception:
    """The receiver's account of a job (``received``)."""

    job_id: int
    prompt: str | None
    delivered: bool
    frames_received: int
    frames_expected: int | None
    packets_received: int
    packets_duplicate: int
    packets_bad: int
    streams: tuple[ReceivedStream, ...]
    constellation: np.ndarray
    digital: np.ndarray
    psd_db: np.ndarray
    psd_freq_hz: np.ndarray
    channel: np.ndarray

    @classmethod
    def of(cls, message: Message) -> Reception:
        """From a ``received`` message; ``WireError`` if it lacks something."""
        prompt = message.meta.get("prompt")
        expected = message.meta.get("frames_expected")
        if prompt is not None and not isinstance(prompt, str):
            raise WireError("received: prompt is no text")
        return cls(
            job_id=message.value("job_id", int),
            prompt=None if prompt is None else from_air(prompt),
            delivered=message.value("delivered", bool),
            frames_received=message.value("frames_received", int),
            frames_expected=expected if isinstance(expected, int) else None,
            packets_received=int(message.meta.get("packets_received") or 0),
            packets_duplicate=int(message.meta.get("packets_duplicate") or 0),
            packets_bad=int(message.meta.get("packets_bad") or 0),
            streams=tuple(_streams(message)),
            constellation=_optional(message, "constellation", np.complex64),
            digital=_optional(message, "digital", np.complex64),
            psd_db=_optional(message, "psd_db", np.float32),
            psd_freq_hz=_optional(message, "psd_freq_hz", np.float32),
            channel=_optional(message, "channel", np.complex64),
        )

    def stream(self, stream_id: int) -> ReceivedStream | None:
        """The stream of that number, if any of it came."""
        return next((s for s in self.streams if s.stream_id == stream_id), None)

    def picture_stream(self) -> ReceivedStream | None:
        """The stream that carries the picture, if any of it came."""
        return self.stream(STREAM_PICTURE)


def _streams(message: Message) -> list[ReceivedStream]:
    streams = []
    for entry in message.value("streams", list):
        if not isinstance(entry, dict) or not isinstance(entry.get("stream_id"), int):
            raise WireError("received: a stream has no stream_id")
        identifier = entry["stream_id"]
        descriptor = entry.get("descriptor")
        streams.append(
            ReceivedStream(
                identifier,
                descriptor if isinstance(descriptor, dict) and descriptor else None,
                message.array(f"stream_{identifier}", np.complex64, 1),
                message.array(f"noise_var_{identifier}", np.float32, 1),
            )
        )
    return streams


def _optional(message: Message, name: str, dtype: type) -> np.ndarray:
    if name not in message.arrays:
        return np.zeros(0, dtype)
    return message.arrays[name].astype(dtype).ravel()


@dataclass
class FrameLog:
    """Telemetry of every frame the receiver found, in order of arrival."""

    snr_db: list[float] = field(default_factory=list)
    cfo_hz: list[float] = field(default_factory=list)
    sro_ppm: list[float] = field(default_factory=list)
    evm_db: list[float] = field(default_factory=list)
    power_dbfs: list[float] = field(default_factory=list)
    seq: list[int] = field(default_factory=list)
    # Where the receiver's window of the first long symbol begins in the stream.
    timing_sample: list[int] = field(default_factory=list)
    channel: np.ndarray | None = None
    # Of bands, one list a frame; and |H|²/σ² of the used carriers in the last frames, ends too.
    band_snr_db: list[list[float]] = field(default_factory=list)
    carrier_snr: deque[np.ndarray] = field(default_factory=lambda: deque(maxlen=CARRIERS_KEPT))
    # Frames by the estimator of their channel, and the counters of one that asks the service.
    estimators: dict[str, int] = field(default_factory=dict)
    estimator_counters: dict[str, int] = field(default_factory=dict)
    bad_headers: int = 0

    def add(self, message: Message) -> None:
        """Note one ``frame`` message."""
        if message.meta.get("header_ok") is False:
            self.bad_headers += 1
            return
        self._note_carriers(message)
        if message.meta.get("end"):  # closes a job, carries nothing
            return
        if len(self.seq) >= FRAMES_LOGGED_MAX:
            return
        for name in ("snr_db", "cfo_hz", "sro_ppm", "evm_db", "power_dbfs"):
            getattr(self, name).append(number(message.meta.get(name)))
        seq = message.meta.get("seq")
        self.seq.append(seq if isinstance(seq, int) else -1)
        timing = message.meta.get("timing_sample")
        self.timing_sample.append(timing if isinstance(timing, int) else -1)
        estimator, counters = (message.meta.get(k) for k in ("estimator", "estimator_counters"))
        if isinstance(estimator, str):
            self.estimators[estimator] = self.estimators.get(estimator, 0) + 1
        if isinstance(counters, dict):
            self.estimator_counters = {k: n for k, n in counters.items() if isinstance(n, int)}
        channel = message.arrays.get("channel")
        if channel is not None and channel.dtype == np.complex64 and channel.ndim == 1:
            self.channel = channel
        if told := _numbers(message.meta.get("band_snr_db")):
            self.band_snr_db.append(list(told))

    def _note_carriers(self, message: Message) -> None:
        channel, noise_var = message.arrays.get("channel"), number(message.meta.get("noise_var"))
        if channel is None or channel.dtype != np.complex64 or channel.ndim != 1:
            return
        power = channel.real.astype(float) ** 2 + channel.imag.astype(float) ** 2
        if noise_var > 0 and np.all(np.isfinite(power)):
            self.carrier_snr.append(power / noise_var)

    def __len__(self) -> int:
        return len(self.seq)

    def mean_snr_db(self) -> float:
        """Mean Es/N0 over frames, averaged as a power ratio."""
        return _mean_db(self.snr_db)

    def mean_evm_db(self) -> float:
        """Mean error vector magnitude over frames, averaged as a power ratio."""
        return _mean_db(self.evm_db)

    def median(self, name: str) -> float:
        """Median over frames of ``cfo_hz``, ``sro_ppm`` or another field; NaN without any."""
        values = np.array(getattr(self, name), float)
        values = values[np.isfinite(values)]
        return float(np.median(values)) if values.size else math.nan


def _mean_db(values: list[float]) -> float:
    finite = np.array(values, float)
    finite = finite[np.isfinite(finite)]
    return float(10 * np.log10(np.mean(10 ** (finite / 10)))) if finite.size else math.nan
