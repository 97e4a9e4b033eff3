# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service does for a receiver: known cells in, channel out, within milliseconds.

    estimate   {id, numerology} [rows, rows_sent, comb, comb_sent]  → estimated {} [response]
    estimator  {}                                                   → estimator {name}

Formats: :mod:`semcom_blocks.remote_estimator`. These have a worker of their own: a picture that is
being decoded, or drawn for seconds, must not make a receiver wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from semcom_blocks.errors import WireError
from semcom_blocks.remote_estimator import read_question
from semcom_blocks.wire import Message

if TYPE_CHECKING:
    from models.channel.estimator import ChannelEstimator

EstimatorLoader = Callable[[], "ChannelEstimator"]


def load_shipped_estimator() -> ChannelEstimator:
    """The one whose weights come with the repository; ``ModelError`` if they do not.

    A frame is too little work to share: from then on the calling thread, and it alone, computes
    by itself, and waits for no other.
    """
    import torch

    from models.channel.estimator import ChannelEstimator

    torch.set_num_threads(1)
    return ChannelEstimator.load()


class EstimateHandlers:
    """The two requests. The network is loaded on first need and kept."""

    kinds = ("estimate", "estimator")

    def __init__(self, load: EstimatorLoader = load_shipped_estimator) -> None:
        self._load = load
        self._estimator: ChannelEstimator | None = None

    def warm_up(self) -> None:
        """Nothing: most services are never asked for an estimate."""

    def load(self) -> ChannelEstimator:
        """Load, and run once: the first call is slow."""
        import numpy as np

        from semcom_blocks.phy.known import KnownCells
        from semcom_blocks.phy.numerology import Numerology

        num = Numerology()
        ones = np.ones((8, num.n_used), np.complex64)
        cells = KnownCells(ones, np.ones((num.n_comb, 8), np.complex64))
        self.estimator().estimate_known(cells, cells, num)
        return self.estimator()

    def estimator(self) -> ChannelEstimator:
        """The network, loaded now if it is not yet."""
        if self._estimator is None:
            self._estimator = self._load()
        return self._estimator

    def handle(self, request: Message, tell: Callable[[Message], None]) -> Message:
        """Answer one request; raises a ``SemcomError`` for one that cannot be met."""
        if request.kind == "estimator":
            return Message("estimator", {"name": self.load().name})
        if request.kind != "estimate":
            raise WireError(f"unknown request {request.kind!a}, permitted: {self.kinds}")
        response = self.estimator().estimate_known(*read_question(request))
        return Message("estimated", {}, {"response": response})
