# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompt ARQ Receiver: checks packets, acknowledges them, delivers each message once."""

import time
from typing import Any

import numpy as np

from semcom_blocks.gr.base import PduBlock
from semcom_blocks.link.arq import MessageReceived, SendAck
from semcom_blocks.link.receiver import ArqReceiver


class PromptArqReceiver(PduBlock):
    """Ports: ``packets`` in (u8), ``ack`` out (u8), ``message`` out (u8).

    Every packet also sends an empty PDU with the counters on ``message``; the end of
    a job (``job_end``) is passed on behind its packets.  What a packet's frame measured of its
    bands (``band_snr_db``) goes back with the acknowledgement.
    """

    def __init__(self) -> None:
        super().__init__("Prompt ARQ Receiver", {"packets": self._on_packet}, ("ack", "message"))
        self._arq = ArqReceiver()

    def _on_packet(self, meta: dict[str, Any], data: np.ndarray) -> None:
        if meta.get("job_end"):
            self.publish("message", meta)
            return
        band_snr_db = tuple(map(float, meta.get("band_snr_db", ())))
        events = self._arq.on_packet(data.tobytes(), time.monotonic(), band_snr_db)
        self.publish("message", {"counters": self._arq.counters})
        for event in events:
            if isinstance(event, MessageReceived):
                self.publish("message", {"job_id": event.job_id}, event.message)
            elif isinstance(event, SendAck):
                self.publish("ack", {"job_id": event.job_id}, event.data)
