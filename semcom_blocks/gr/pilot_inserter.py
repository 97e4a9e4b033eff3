# SPDX-License-Identifier: GPL-3.0-or-later
"""Pilot Inserter: pairs packets with analog symbols and fills the resource grid of each frame."""

import time
from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.link.packets import MAX_PACKET_BYTES
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.phy.framer import DEFAULT_ANALOG_PER_FRAME, Frame, Framer
from semcom_blocks.phy.frames_ahead import FramesAhead
from semcom_blocks.phy.grid import FrameLayout, build_grid, frame_layout, require_room
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.precoding import DEFAULT_PRECODING

#: How often it is looked whether the modulator still gets on.
TICK_S = 0.05


class PilotInserter(PduBlock):
    """Ports: ``payload`` in (u8 packets, c32 analog symbols, band tables), ``sent`` in (status of
    the OFDM Modulator), ``grid`` out (c32), ``status`` out.

    Analog symbols wait for the first packets of their job, so that both share frames.
    GNU Radio keeps the order of messages on one port, not across ports; hence all come
    in by one: the band table of a job that has one, then analog symbols, then packets.

    Frames of bands are given out a few at a time, as ``sent`` tells that earlier ones are on the
    air, so that a packet that is sent again shares a frame with what is still to come of the
    streams.  Where nothing is told, because the port is not connected or the modulator does not
    get on, they all go after a while.
    """

    def __init__(
        self,
        numerology: Numerology | None = None,
        analog_per_frame: int = DEFAULT_ANALOG_PER_FRAME,
        bits_per_symbol: int = 2,
        precoding: str = DEFAULT_PRECODING,
    ) -> None:
        super().__init__(
            "Pilot Inserter",
            {"payload": self._on_payload, "sent": self._on_sent},
            ("grid", "status"),
            TICK_S,
            self._on_tick,
        )
        self._numerology = numerology or Numerology()
        self._framer = Framer(analog_per_frame, bits_per_symbol, self._numerology, precoding)
        self._ahead = FramesAhead(self._numerology.sample_rate_hz)
        self._ending: list[int] = []
        self._in_burst = False
        fullest = FrameHeader(0, 0, MAX_PACKET_BYTES, bits_per_symbol, 0, analog_per_frame)
        try:
            FrameLayout(self._numerology, fullest)
        except ConfigError as error:
            raise ConfigError(f"analog_per_frame is {analog_per_frame}: {error}") from None

    def _on_payload(self, meta: dict[str, Any], vector: np.ndarray) -> None:
        if "bands" in meta:
            table = BandTable.from_bytes(meta["bands"].tobytes())
            require_room(table, MAX_PACKET_BYTES, self._numerology)
            self._framer.open_bands(meta["job_id"], table)
        elif vector.dtype == np.complex64:
            self._framer.add_analog(meta["job_id"], meta["stream_id"], vector)
        elif vector.dtype == np.uint8:
            self._on_packet(meta, vector)
        else:
            raise ConfigError(f"payload is {vector.dtype}, permitted: uint8, complex64")

    def _on_packet(self, meta: dict[str, Any], packet: np.ndarray) -> None:
        if meta.get("job_end"):
            self._ending.append(meta["job_id"])
        else:
            self._in_burst = meta["burst_left"] > 0
            self._framer.add_packet(meta["job_id"], packet.tobytes())
        self._go_on()

    def _on_sent(self, meta: dict[str, Any], _vector: np.ndarray) -> None:
        if "seq" in meta and self._ahead.sent(meta["seq"], time.monotonic()):
            self._go_on()

    def _on_tick(self) -> None:
        if self._ahead.give_up(time.monotonic()):
            self._go_on()

    def _go_on(self) -> None:
        """Give out what may go now; what is left of a message that was refused is dropped.

        Packets that were sent at once are framed at once.
        """
        if self._in_burst:
            return
        self._close()
        self._release()
        self._close()

    def _close(self) -> None:
        """Close the jobs that are over and of which nothing waits."""
        over = [job_id for job_id in self._ending if not self._framer.is_pending(job_id)]
        for job_id in over:
            self._ending.remove(job_id)
            closing = list(self._framer.end(job_id))
            for frame in closing:
                self._emit(frame, job_end=frame is closing[-1])

    def _release(self) -> None:
        """Build and give out the frames that may go now."""
        now_s, frames = time.monotonic(), []
        while (job_id := self._framer.next_job()) is not None:
            in_bands = self._framer.has_bands(job_id)
            if in_bands and not self._ahead.has_room:
                break
            frames.append(self._framer.next_frame())
            if in_bands:
                layout = frame_layout(self._numerology, frames[-1].header)
                self._ahead.add(frames[-1].header.seq, layout.n_samples, now_s)
        for job_id in dict.fromkeys(frame.header.job_id for frame in frames):
            total = self._framer.frames_of(job_id)
            self.publish("status", {"job_id": job_id, "frames_total": total})
        # Packets need their round trip and analog symbols do not: packets go first, in the
        # order in which they were sent, on which the ARQ relies to know what was lost.
        for frame in frames:
            self._emit(frame, urgent=bool(frame.digital))

    def _emit(self, frame: Frame, urgent: bool = False, job_end: bool = False) -> None:
        layout = frame_layout(self._numerology, frame.header)
        grid = build_grid(layout, frame.digital, frame.analog)
        meta = {"header": frame.header.to_bytes(), "urgent": urgent, "job_end": job_end}
        self.publish("grid", meta, grid.reshape(-1))
