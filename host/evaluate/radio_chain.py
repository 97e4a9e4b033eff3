# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbols of a picture through the testbed's own radio chain, without processes between.

    spread -> framer -> modulator -> software channel -> synchroniser -> receiver -> assembler

Every stage is the one that the radio's blocks call. Channels (:data:`CASES`) draw all chance from
one key: two senders with equal keys meet the same fading and noise, sample by sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semcom_blocks.air.config import PathConfig
from semcom_blocks.air.fading import TapGains
from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.channel.profile import exponential_profile
from semcom_blocks.link.assembler import JobAssembler
from semcom_blocks.phy.framer import DEFAULT_ANALOG_PER_FRAME, Framer
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.interleave import gather, spread
from semcom_blocks.phy.modulator import TransmitLevel, modulate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.precoding import DEFAULT_PRECODING
from semcom_blocks.phy.receiver import receive
from semcom_blocks.phy.sync import FrameSync

JOB_ID, STREAM = 1, 1
LEAD = (200, 1500)  # samples of noise alone before a frame
SPREAD_S = 1e-6  # RMS delay of the exponential profiles, the software channel's default


@dataclass(frozen=True)
class Case:
    """A channel: ``channel`` as in :class:`ChannelConfig`; with ``doppler_hz`` the profile of
    :data:`SPREAD_S` fades as the simulated air does, all the time; ``papr_limit_db`` of the
    transmitter."""

    text: str
    channel: dict[str, Any] = field(default_factory=dict)
    doppler_hz: float = 0.0
    papr_limit_db: float | None = None

    @property
    def fades(self) -> bool:
        """Whether frames differ, which the encoder is told."""
        return bool(self.doppler_hz) or self.channel.get("model", "awgn") != "awgn"


CASES = {
    "awgn": Case("white noise"),
    "rayleigh": Case("Rayleigh, a fade for each frame", {"model": "rayleigh"}),
    "multipath": Case("multipath, a response for each frame", {"model": "multipath"}),
    "radio": Case(
        "multipath with cheap radios",
        {
            "model": "multipath", "cfo_hz": 5000.0, "sro_ppm": 20.0, "phase_noise_hz": 5.0,
            "iq_gain_db": 0.2, "iq_phase_deg": 1.0, "adc_bits": 10,
        },
    ),
    "walking": Case("multipath, 10 Hz of Doppler", {"cfo_hz": 1000.0}, doppler_hz=10.0),
    "clipped": Case("white noise, peaks clipped at 5 dB", papr_limit_db=5.0),
    "clipped-multipath": Case("multipath, peaks clipped at 5 dB", {"model": "multipath"},
                              papr_limit_db=5.0),
}  # fmt: skip


@dataclass(frozen=True)
class Arrived:
    """Symbols complex64 (k,) and their error variance float32 (k,), inf where nothing came."""

    symbols: NDArray[np.complex64]
    noise_var: NDArray[np.float32]
    frames_sent: int
    frames_received: int


def through_chain(
    symbols: NDArray[np.complex64],
    case: Case,
    snr_db: float,
    key: Sequence[int],
    *,
    equalizer: str = "mmse",
    precoding: str = DEFAULT_PRECODING,
    per_frame: int = DEFAULT_ANALOG_PER_FRAME,
) -> Arrived:
    """Send a stream complex64 (k,) of unit power at a mean Es/N0 of ``snr_db``."""
    num = Numerology()
    framer = Framer(per_frame, numerology=num, precoding=precoding)
    bursts = _bursts(symbols, case, framer, num)
    sync, assembler = FrameSync(num), JobAssembler()
    assembler.on_message(JOB_ID, "", ((STREAM, {"n": len(symbols)}),), 0.0)
    for samples in (*_heard(bursts, case, snr_db, key, num), None):
        captures = sync.flush() if samples is None else sync.push(samples)
        for capture in captures:
            frame = receive(capture, num, equalizer_method=equalizer)
            if frame.header.job_id != JOB_ID:  # what the header's CRC let through by chance
                continue
            assembler.on_frame(JOB_ID, frame.header.seq, 0.0)
            for chunk in frame.header.chunks:
                payload = frame.payload
                assembler.on_analog(
                    JOB_ID, chunk.stream_id, chunk.offset, payload.analog, payload.noise_var, 0.0
                )
    (job,) = assembler.close_all()
    (stream,) = job.streams
    return Arrived(
        gather(stream.symbols), gather(stream.noise_var), len(bursts), job.frames_received
    )


def _bursts(
    symbols: NDArray[np.complex64], case: Case, framer: Framer, num: Numerology
) -> list[np.ndarray]:
    """The samples of each frame."""
    framer.add_analog(JOB_ID, STREAM, spread(symbols))
    level = TransmitLevel(papr_limit_db=case.papr_limit_db)
    return [
        modulate(build_grid(FrameLayout(num, f.header), f.digital, f.analog), num, level)
        for f in framer.frames()
    ]


def _heard(
    bursts: list[np.ndarray], case: Case, snr_db: float, key: Sequence[int], num: Numerology
) -> list[np.ndarray]:
    """What the receiver's radio gives, in pieces."""
    lead_rng, fade_rng, channel_rng = (np.random.default_rng([*key, n]) for n in range(3))
    leads = lead_rng.integers(*LEAD, len(bursts))
    pieces = [np.pad(b, (lead, 0)) for b, lead in zip(bursts, leads, strict=True)]
    if case.doppler_hz:
        faded = _fading(np.concatenate(pieces), case.doppler_hz, num.sample_rate_hz, fade_rng)
        pieces = np.split(faded, np.cumsum([len(piece) for piece in pieces])[:-1])
    config = ChannelConfig(
        snr_db=snr_db,
        delay_spread_s=SPREAD_S,
        sample_rate_hz=num.sample_rate_hz,
        symbol_energy=num.symbol_energy,
        **case.channel,
    )
    channel, heard = SoftwareChannel(config, channel_rng), []
    for piece in pieces:
        channel.start_block()
        heard.append(channel.process(piece))
    return [*heard, channel.flush()]


def _fading(
    samples: np.ndarray, doppler_hz: float, rate_hz: float, rng: np.random.Generator
) -> np.ndarray:
    """An exponential profile whose taps move as those of the simulated air."""
    taps = [(float(p) ** 0.5, 0.0) for p in exponential_profile(SPREAD_S, rate_hz)]
    path = PathConfig("sender", "receiver", taps=tuple(taps), fading="rayleigh",
                      doppler_hz=doppler_hz)  # fmt: skip
    gains = TapGains(path, rng).at(0.0, rate_hz, len(samples))
    late = [np.pad(samples, (n, 0))[: len(samples)] for n in range(len(taps))]
    return np.sum(gains * late, axis=0).astype(np.complex64)
