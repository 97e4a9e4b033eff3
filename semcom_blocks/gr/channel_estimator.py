# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel Estimator: known cells to a response over the carriers."""

from typing import Any

import numpy as np

from semcom_blocks.errors import require_choice
from semcom_blocks.gr.base import PduBlock
from semcom_blocks.phy import estimators
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.known import pack
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import known_stack
from semcom_blocks.remote_estimator import DEADLINE_S, DEFAULT_ENDPOINT, RemoteEstimator


class ChannelEstimator(PduBlock):
    """Ports: ``grid`` in (c32), ``estimate`` out with channel, noise_var, snr_db, delay_spread,
    the ``estimator`` that made it and, of ``cgan``, its counters; ``response`` out (c32 PDU for
    displays).

    Method ``cgan`` asks the model service at ``host``; a frame without an answer within
    ``deadline_s`` has the LMMSE's estimate.
    """

    def __init__(
        self,
        numerology: Numerology | None = None,
        method: str = "lmmse",
        host: str = DEFAULT_ENDPOINT,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        super().__init__("Channel Estimator", {"grid": self._on_grid}, ("estimate", "response"))
        self._numerology = numerology or Numerology()
        self._remote: RemoteEstimator | None = None
        self._service = host, deadline_s
        self.set_method(method)

    def set_method(self, method: str) -> None:
        """A name of ``estimators.CHOICES``, from the next frame on."""
        require_choice("estimator", method, estimators.CHOICES)
        if method == estimators.REMOTE and self._remote is None:
            self._remote = RemoteEstimator(*self._service)
        self._method = method

    def stop(self) -> bool:
        """Close the socket, if there is one."""
        super().stop()
        if self._remote is not None:
            self._remote.close()
        return True

    def _on_grid(self, meta: dict[str, Any], cells: np.ndarray) -> None:
        num = self._numerology
        layout = FrameLayout(num, FrameHeader.from_bytes(meta["header"].tobytes()))
        reference, known = known_stack(layout)
        received = cells.reshape(-1, num.n_used)
        meta["estimator"] = method = self._method
        if method == estimators.REMOTE and self._remote is not None:
            seen = pack(received, known), pack(reference, known)
            estimate = estimators.estimate_known(*seen, num, estimators.FALLBACK)
            response = self._remote.ask(*seen, num)
            if response is not None:
                estimate = estimators.with_response(estimate, response)
            else:
                meta["estimator"] = estimators.FALLBACK
            meta["estimator_counters"] = self._remote.counters
        else:
            estimate = estimators.estimate(received, reference, known, num, method)
        meta |= {
            "channel": estimate.response,
            "noise_var": estimate.noise_var,
            "snr_db": estimate.snr_db,
            "delay_spread": estimate.delay_spread,
        }
        self.publish("estimate", meta, cells)
        self.publish("response", {}, estimate.response)
