# SPDX-License-Identifier: GPL-3.0-or-later
"""Pilot Inserter: pairs packets with analog symbols and fills the resource grid of each frame."""

from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.link.packets import MAX_PACKET_BYTES
from semcom_blocks.phy.framer import DEFAULT_ANALOG_PER_FRAME, Frame, Framer
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology


class PilotInserter(PduBlock):
    """Ports: ``payload`` in (u8 packets, c32 analog symbols), ``grid`` out (c32), ``status`` out.

    Analog symbols wait for the first packets of their job, so that both share frames.
    GNU Radio keeps the order of messages on one port, not across ports; hence both come
    in by one, analog symbols first.
    """

    def __init__(
        self,
        numerology: Numerology | None = None,
        analog_per_frame: int = DEFAULT_ANALOG_PER_FRAME,
        bits_per_symbol: int = 2,
    ) -> None:
        super().__init__("Pilot Inserter", {"payload": self._on_payload}, ("grid", "status"))
        self._numerology = numerology or Numerology()
        self._framer = Framer(analog_per_frame, bits_per_symbol)
        fullest = FrameHeader(0, 0, MAX_PACKET_BYTES, bits_per_symbol, 0, analog_per_frame)
        try:
            FrameLayout(self._numerology, fullest)
        except ConfigError as error:
            raise ConfigError(f"analog_per_frame is {analog_per_frame}: {error}") from None

    def _on_payload(self, meta: dict[str, Any], vector: np.ndarray) -> None:
        if vector.dtype == np.complex64:
            self._framer.add_analog(meta["job_id"], meta["stream_id"], vector)
        elif vector.dtype == np.uint8:
            self._on_packet(meta, vector)
        else:
            raise ConfigError(f"payload is {vector.dtype}, permitted: uint8, complex64")

    def _on_packet(self, meta: dict[str, Any], packet: np.ndarray) -> None:
        if meta.get("job_end"):
            closing = list(self._framer.end(meta["job_id"]))
            for frame in closing:
                self._emit(frame, job_end=frame is closing[-1])
            return
        left = meta["burst_left"]
        self._framer.add_packet(meta["job_id"], packet.tobytes())
        if left == 0:
            frames = list(self._framer.frames())
            for job_id in dict.fromkeys(frame.header.job_id for frame in frames):
                total = self._framer.frames_of(job_id)
                self.publish("status", {"job_id": job_id, "frames_total": total})
            # Packets need their round trip and analog symbols do not: packets go first, in the
            # order in which they were sent, on which the ARQ relies to know what was lost.
            for frame in frames:
                self._emit(frame, urgent=bool(frame.digital))

    def _emit(self, frame: Frame, urgent: bool = False, job_end: bool = False) -> None:
        layout = FrameLayout(self._numerology, frame.header)
        grid = build_grid(layout, frame.digital, frame.analog)
        meta = {"header": frame.header.to_bytes(), "urgent": urgent, "job_end": job_end}
        self.publish("grid", meta, grid.reshape(-1))
