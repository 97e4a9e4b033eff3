# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel Estimator: known cells to a response over the carriers."""

from typing import Any

import numpy as np

from semcom_blocks.errors import require_choice
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.phy import estimators
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import known_stack


class ChannelEstimator(PduBlock):
    """Ports: ``grid`` in (c32), ``estimate`` out with channel, noise_var, snr_db, delay_spread;
    ``response`` out (c32 PDU for displays)."""

    def __init__(self, numerology: Numerology | None = None, method: str = "lmmse") -> None:
        super().__init__("Channel Estimator", {"grid": self._on_grid}, ("estimate", "response"))
        self._numerology = numerology or Numerology()
        self.set_method(method)

    def set_method(self, method: str) -> None:
        """A name of ``estimators.METHODS``, from the next frame on."""
        self._method = require_choice("estimator", method, estimators.METHODS)

    def _on_grid(self, meta: dict[str, Any], cells: np.ndarray) -> None:
        num = self._numerology
        layout = FrameLayout(num, FrameHeader.from_bytes(meta["header"].tobytes()))
        reference, known = known_stack(layout)
        received = cells.reshape(-1, num.n_used)
        estimate = estimators.estimate(received, reference, known, num, self._method)
        meta |= {
            "channel": estimate.response,
            "noise_var": estimate.noise_var,
            "snr_db": estimate.snr_db,
            "delay_spread": estimate.delay_spread,
        }
        self.publish("estimate", meta, cells)
        self.publish("response", {}, estimate.response)
