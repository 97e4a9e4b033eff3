# SPDX-License-Identifier: GPL-3.0-or-later
"""The length of a training run and its learning rate: linear warm-up, then a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass

from host.train.checkpoint import Progress

WARMUP = 0.03  # of the run
LAST_LR = 0.005  # of the peak, at the end


@dataclass(frozen=True)
class Schedule:
    """Length in ``steps`` or in ``seconds`` of training (the other is None), and the peak rate."""

    steps: int | None
    seconds: float | None
    peak_lr: float

    def done(self, progress: Progress) -> float:
        """Share of the run that is behind, 0…1 (and a little over)."""
        if self.steps is not None:
            return progress.step / self.steps
        assert self.seconds is not None
        return progress.elapsed_s / self.seconds

    def learning_rate(self, done: float) -> float:
        """Linear warm-up, then a cosine."""
        if done < WARMUP:
            return self.peak_lr * max(done / WARMUP, 1e-3)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, (done - WARMUP) / (1 - WARMUP))))
        return self.peak_lr * (LAST_LR + (1 - LAST_LR) * fall)
