# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt ARQ Sender: cuts messages into CRC packets and resends what is not acknowledged."""

import secrets
import time
from typing import Any

import numpy as np

from semcom_blocks.errors import SemcomError
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.link.arq import (
    ArqConfig,
    BandsHeard,
    Event,
    MessageDelivered,
    MessageFailed,
    SendPacket,
)
from semcom_blocks.link.sender import ArqSender

#: Timer resolution; a tenth of the shortest retransmission timeout.
TICK_S = 0.005


class PromptArqSender(PduBlock):
    """Selective-repeat ARQ over packets.

    Ports: ``message`` in (u8), ``ack`` in (u8), ``packets`` out (u8, one packet
    each; ``burst_left`` counts those that follow at once; ``job_end`` closes a
    job), ``status`` out.
    """

    def __init__(
        self,
        feedback: bool = True,
        repeats: int = 3,
        give_up_s: float = 15.0,
        config: ArqConfig | None = None,
        session: int | None = None,
    ) -> None:
        super().__init__(
            "Prompt ARQ Sender",
            {"message": self._on_message, "ack": self._on_ack},
            ("packets", "status"),
            TICK_S,
            self._on_tick,
        )
        config = config or ArqConfig(feedback=feedback, repeats=repeats, give_up_s=give_up_s)
        session = secrets.randbits(32) if session is None else session
        self._arq = ArqSender(config, session=session)

    def _on_message(self, meta: dict[str, Any], body: np.ndarray) -> None:
        job_id = meta["job_id"]
        try:
            events = self._arq.submit(job_id, body.tobytes(), time.monotonic())
        except SemcomError as error:  # the host waits for an answer to every job
            events = (MessageFailed(job_id, str(error), 0, 0),)
        self._emit(events)

    def _on_ack(self, _meta: dict[str, Any], data: np.ndarray) -> None:
        self._emit(self._arq.on_ack(data.tobytes(), time.monotonic()))

    def _on_tick(self) -> None:
        self._emit(self._arq.poll(time.monotonic()))

    def _emit(self, events: tuple[Event, ...]) -> None:
        packets = [event for event in events if isinstance(event, SendPacket)]
        for left, packet in zip(range(len(packets) - 1, -1, -1), packets, strict=True):
            meta = {"job_id": packet.job_id, "attempt": packet.attempt, "burst_left": left}
            self.publish("packets", meta, packet.data)
        for event in events:
            if isinstance(event, SendPacket):
                continue
            if isinstance(event, BandsHeard):
                snr_db = list(event.band_snr_db)
                self.publish("status", {"job_id": event.job_id, "band_snr_db": snr_db})
                continue
            names = {MessageDelivered: "delivered", MessageFailed: "failed"}
            status = {
                "job_id": event.job_id,
                "arq": names.get(type(event), "sent"),
                "packets_sent": event.packets_sent,
                "retransmissions": event.retransmissions,
            }
            if isinstance(event, MessageFailed):
                status["error"] = event.reason
            if self._arq.srtt_s is not None:
                status["round_trip_s"] = self._arq.srtt_s
            self.publish("status", status)
            self.publish("packets", {"job_id": event.job_id, "job_end": True})
