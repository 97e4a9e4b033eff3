# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole link in one flowgraph, with a collector at every message port."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.gr.channel_estimator import ChannelEstimator
from semcom_blocks.gr.equalizer import Equalizer
from semcom_blocks.gr.finite_guard import FiniteGuard
from semcom_blocks.gr.frame_sync import FrameSyncBlock
from semcom_blocks.gr.ofdm_demodulator import OfdmDemodulator
from semcom_blocks.gr.ofdm_modulator import OfdmModulator
from semcom_blocks.gr.pilot_inserter import PilotInserter
from semcom_blocks.gr.prompt_arq_receiver import PromptArqReceiver
from semcom_blocks.gr.prompt_arq_sender import PromptArqSender
from semcom_blocks.gr.software_channel import SoftwareChannelBlock
from semcom_blocks.link.arq import ArqConfig
from semcom_blocks.phy.bands import BandTable
from tests.semcom_blocks.gr.bench import Bench, Recorder, send


@dataclass(frozen=True)
class Settings:
    """What a :class:`BlockLink` is made of."""

    channel: ChannelConfig = field(default_factory=lambda: ChannelConfig(snr_db=15.0))
    arq: ArqConfig = field(default_factory=ArqConfig)
    estimator: str = "lmmse"
    equalizer: str = "mmse"
    analog_per_frame: int = 1000
    precoding: str = "frame"
    session: int = 7


class BlockLink(Bench):
    """Sender, channel and receiver without sockets; runs inside ``with``.

    ``lossy``, if given, is a block with ports ``in`` and ``out`` between the packets
    that were received and the ARQ receiver; ``acks`` connects the way back.
    """

    def __init__(
        self, settings: Settings | None = None, lossy: Any = None, acks: bool = True
    ) -> None:
        super().__init__()
        settings = settings or Settings()
        self.arq = PromptArqSender(config=settings.arq, session=settings.session)
        self.pilots = PilotInserter(
            analog_per_frame=settings.analog_per_frame, precoding=settings.precoding
        )
        self.modulator = OfdmModulator()
        self.channel = SoftwareChannelBlock(settings.channel)
        self.guard = FiniteGuard()
        self.sync = FrameSyncBlock()
        self.demodulator = OfdmDemodulator()
        self.estimator = ChannelEstimator(method=settings.estimator)
        self.equalizer = Equalizer(method=settings.equalizer)
        self.arq_receiver = PromptArqReceiver()
        self.sent, self.air = Recorder(), Recorder()
        self.chain(self.modulator, self.channel, self.guard, self.sync)
        self.chain(self.modulator, self.sent)
        self.chain(self.channel, self.air)
        self.message(self.arq, "packets", self.pilots, "payload")
        self.message(self.pilots, "grid", self.modulator, "grid")
        self.message(self.modulator, "status", self.pilots, "sent")
        self.message(self.sync, "frames", self.demodulator, "frames")
        self.message(self.demodulator, "grid", self.estimator, "grid")
        self.message(self.estimator, "estimate", self.equalizer, "estimate")
        if lossy is None:
            self.message(self.equalizer, "packets", self.arq_receiver, "packets")
        else:
            self.message(self.equalizer, "packets", lossy, "in")
            self.message(lossy, "out", self.arq_receiver, "packets")
        if acks:
            self.message(self.arq_receiver, "ack", self.arq, "ack")
        #: What passed each port, by "block.port".
        self.passed = {
            f"{name}.{port}": self.collect(block, port).pdus
            for name, block, port in (
                ("arq", self.arq, "packets"),
                ("arq", self.arq, "status"),
                ("pilots", self.pilots, "grid"),
                ("modulator", self.modulator, "status"),
                ("sync", self.sync, "frames"),
                ("demodulator", self.demodulator, "grid"),
                ("estimator", self.estimator, "estimate"),
                ("equalizer", self.equalizer, "frames"),
                ("equalizer", self.equalizer, "packets"),
                ("arq_receiver", self.arq_receiver, "ack"),
                ("arq_receiver", self.arq_receiver, "message"),
            )
        }

    def submit(
        self,
        job_id: int,
        body: bytes,
        symbols: np.ndarray | dict[int, np.ndarray] | None = None,
        bands: BandTable | None = None,
    ) -> None:
        """Hand in a job as Semantic Source does: bands, analog symbols, then the message.

        ``symbols``: of stream 1, or of several streams.
        """
        if bands is not None:
            send(self.pilots, "payload", {"job_id": job_id, "bands": bands.to_bytes()})
        streams = symbols if isinstance(symbols, dict) else {1: symbols}
        for stream_id, values in streams.items():
            if values is not None:
                send(self.pilots, "payload", {"job_id": job_id, "stream_id": stream_id}, values)
        send(self.arq, "message", {"job_id": job_id}, body)

    def ended(self, job_id: int) -> bool:
        """Whether all samples of a job are on the air."""
        return any(name == "job_end" and value == job_id for _, name, value in self.air.tags)

    @property
    def delivered(self) -> list[tuple[int, bytes]]:
        """Messages that came out, with their job numbers."""
        passed = list(self.passed["arq_receiver.message"])
        # Counters and the end of a job come by the same port.
        messages = [x for x in passed if "job_id" in x[0] and "job_end" not in x[0]]
        return [(meta["job_id"], body.tobytes()) for meta, body in messages]
