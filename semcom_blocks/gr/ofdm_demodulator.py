# SPDX-License-Identifier: GPL-3.0-or-later
"""OFDM Demodulator: frame samples to a tracked grid."""

from typing import Any

import numpy as np

from semcom_blocks.gr.base import PduBlock
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import demodulate
from semcom_blocks.phy.sync import Capture


class OfdmDemodulator(PduBlock):
    """Ports: ``frames`` in (c32), ``grid`` out (c32: two long symbols, header, payload)."""

    def __init__(self, numerology: Numerology | None = None) -> None:
        super().__init__("OFDM Demodulator", {"frames": self._on_frame}, ("grid",))
        self._numerology = numerology or Numerology()

    def _on_frame(self, meta: dict[str, Any], samples: np.ndarray) -> None:
        header = FrameHeader.from_bytes(meta["header"].tobytes())
        capture = Capture(samples, meta["start_sample"], meta["cfo_hz"], header, meta["power_dbfs"])
        tracked = demodulate(capture, self._numerology)
        meta |= {"cfo_hz": tracked.cfo_hz, "sro_ppm": tracked.sro_ppm}
        self.publish("grid", meta, np.concatenate([tracked.long, tracked.grid]).reshape(-1))
