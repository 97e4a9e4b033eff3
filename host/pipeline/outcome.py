# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is known when a job is over: what reports are made from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from host.config import RunConfig
from host.images import LoadedImage
from host.pipeline.records import STREAM_PICTURE, FrameLog, Reception, Transmission
from host.pipeline.semantics import Semantics
from host.pipeline.synthesis import Synthesis
from semcom_blocks.errors import ArqGaveUp, LinkError, SemcomError

if TYPE_CHECKING:
    from host.pipeline.adaptation import Adaptation


@dataclass
class Stopwatch:
    """Seconds spent in each stage, by name."""

    clock: Callable[[], float] = time.monotonic
    spent_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is inside and add it to ``name``."""
        began = self.clock()
        try:
            yield
        finally:
            self.spent_s[name] = self.spent_s.get(name, 0.0) + self.clock() - began

    def total_s(self) -> float:
        """Seconds since it was made."""
        return self.clock() - self._began


@dataclass
class Outcome:
    """One job, as far as this side knows it; what it cannot know is ``None``."""

    run: RunConfig
    job_id: int
    prompt_sent: str | None = None
    original: LoadedImage | None = None
    symbols: int | None = None
    descriptor: dict[str, Any] | None = None
    picture: np.ndarray | None = None
    semantics: Semantics | None = None
    synthesis: Synthesis | None = None
    adaptation: Adaptation | None = None
    transmission: Transmission | None = None
    reception: Reception | None = None
    frames: FrameLog = field(default_factory=FrameLog)
    quality: dict[str, Any] | None = None
    ideal: dict[str, Any] | None = None
    replay: dict[str, Any] | None = None
    # What each radio counted about its device, by role.
    devices: dict[str, dict[str, int]] = field(default_factory=dict)
    timing_s: dict[str, float] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)

    def sends(self, semantics: Semantics) -> None:
        """Note what goes out."""
        self.semantics, self.symbols = semantics, semantics.symbols
        self.prompt_sent = semantics.prompt
        stream = semantics.streams.get(STREAM_PICTURE)
        self.descriptor = stream.descriptor if stream is not None else None

    @property
    def prompt_received(self) -> str | None:
        """The prompt as the receiver has it."""
        return self.reception.prompt if self.reception is not None else None

    @property
    def delivered(self) -> bool | None:
        """Whether the prompt arrived; the receiver's word counts before the sender's."""
        if self.reception is not None:
            return self.reception.delivered
        return self.transmission.delivered if self.transmission is not None else None

    def failure(self) -> SemcomError | None:
        """Why this job did not do what it should; ``None`` if it did."""
        known = None not in (self.prompt_sent, self.prompt_received)
        if self.delivered and known and self.prompt_sent != self.prompt_received:
            return LinkError(
                "the prompt that arrived differs from the one sent: a fault of the link"
            )
        if self.transmission is not None and self.transmission.error is not None:
            return ArqGaveUp(f"ArqGaveUp: prompt not delivered: {self.transmission.error}")
        if self.transmission is not None and self.transmission.delivered is False:
            return ArqGaveUp("ArqGaveUp: prompt not delivered")
        if self.delivered is False:
            return LinkError(f"the prompt of job {self.job_id} did not arrive whole")
        return self.synthesis.error if self.synthesis is not None else None
