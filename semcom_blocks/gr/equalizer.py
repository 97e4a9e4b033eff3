# SPDX-License-Identifier: GPL-3.0-or-later
"""Equalizer: grid and channel to a prompt packet and analog symbols."""

from typing import Any

import numpy as np

from semcom_blocks.errors import require_choice
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.phy import equalizer
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.payload import extract
from semcom_blocks.phy.preamble import LONG_SYMBOLS
from semcom_blocks.phy.receiver import frame_band_snr_db, pilot_evm_db


class Equalizer(PduBlock):
    """Ports: ``estimate`` in (c32), ``packets`` out (u8), ``frames`` out (c32 analog symbols
    with noise_var and all measurements), ``constellation`` and ``analog`` out (c32 for
    displays: digital and analog symbols of frames that have some).

    Frames with bands come out at unit power, the symbols of their streams one after another, and
    with ``band_snr_db`` on both ports."""

    def __init__(self, numerology: Numerology | None = None, method: str = "mmse") -> None:
        outputs = ("packets", "frames", "constellation", "analog")
        super().__init__("Equalizer", {"estimate": self._on_estimate}, outputs)
        self._numerology = numerology or Numerology()
        self.set_method(method)

    def set_method(self, method: str) -> None:
        """``zf`` or ``mmse``, from the next frame on."""
        self._method = require_choice("equalizer", method, equalizer.METHODS)

    def _on_estimate(self, meta: dict[str, Any], cells: np.ndarray) -> None:
        num = self._numerology
        header = FrameHeader.from_bytes(meta["header"].tobytes())
        layout = FrameLayout(num, header)
        grid = cells.reshape(-1, num.n_used)[LONG_SYMBOLS:]
        noise_var = meta["noise_var"]
        equalized = equalizer.equalize_frame(grid, meta["channel"], noise_var, layout, self._method)
        payload = extract(equalized, layout)
        snr_db = frame_band_snr_db(meta["channel"], noise_var, layout)
        bands = {"band_snr_db": list(snr_db)} if snr_db else {}
        if payload.digital:
            self.publish("packets", {"job_id": header.job_id, **bands}, payload.digital)
        elif header.end:  # follows the packets, so that the sink knows when none is under way
            end = {"job_id": header.job_id, "seq": header.seq, "job_end": True}
            self.publish("packets", end | {"frames_expected": header.analog_offset})
        meta |= bands
        meta["evm_db"] = pilot_evm_db(equalized, layout)
        meta["symbol_noise_var"] = payload.noise_var
        meta["constellation"] = payload.symbols
        self.publish("frames", meta, payload.analog)
        if len(payload.symbols):
            self.publish("constellation", {}, payload.symbols)
        if len(payload.analog):
            self.publish("analog", {}, payload.analog)
