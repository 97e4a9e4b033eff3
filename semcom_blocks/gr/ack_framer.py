# SPDX-License-Identifier: GPL-3.0-or-later
"""Ack Framer: each acknowledgement becomes the resource grid of a short frame."""

from typing import Any

import numpy as np

from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.link.packets import MAX_ACK_BYTES
from semcom_blocks.phy.framer import AckFramer
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.numerology import Numerology


class AckFramerBlock(PduBlock):
    """Ports: ``ack`` in (u8), ``grid`` out (c32) for an OFDM Modulator.

    ``urgent``: the modulator carries data too, which acknowledgements overtake.
    """

    def __init__(self, numerology: Numerology | None = None, urgent: bool = False) -> None:
        super().__init__("Ack Framer", {"ack": self._on_ack}, ("grid",))
        self._numerology = numerology or Numerology()
        self._framer = AckFramer()
        self._urgent = urgent

    def _on_ack(self, meta: dict[str, Any], data: np.ndarray) -> None:
        if data.dtype != np.uint8 or not 0 < len(data) <= MAX_ACK_BYTES:
            found = f"{data.dtype} ({len(data)},)"
            raise ConfigError(f"ack is {found}, permitted: uint8, 1 to {MAX_ACK_BYTES}")
        frame = self._framer.frame(meta["job_id"], data.tobytes())
        grid = build_grid(FrameLayout(self._numerology, frame.header), frame.digital, frame.analog)
        about = {"header": frame.header.to_bytes(), "urgent": self._urgent}
        self.publish("grid", about, grid.reshape(-1))
