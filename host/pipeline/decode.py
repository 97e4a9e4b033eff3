# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrived becomes a picture: decoded, or drawn; then compared with the original."""

from __future__ import annotations

from typing import Any

import numpy as np

from host.client import HostClient
from host.images import LoadedImage
from host.pipeline.outcome import Outcome
from host.pipeline.progress import Progress
from host.pipeline.reconstruct import ideal_quality, received_picture
from host.pipeline.records import STREAM_PICTURE
from host.pipeline.semantics import Semantics
from host.pipeline.synthesis import synthesise


def receive_picture(host: HostClient, outcome: Outcome, progress: Progress) -> None:
    """Decode what arrived, and draw from it where the run says so."""
    if not outcome.run.generation.enabled:
        outcome.picture = received_picture(host, outcome.reception)
        if outcome.picture is None and outcome.reception and outcome.reception.prompt is not None:
            progress.note("no picture was sent, only its meaning: --generate draws one")
        return
    pixels = outcome.original.pixels if outcome.original is not None else None
    size = (pixels.shape[1], pixels.shape[0]) if pixels is not None else None
    progress.stage("generate")
    made = synthesise(host, outcome.run, outcome.reception, size, progress.steps)
    for note in made.notes:
        progress.note(note)
    outcome.synthesis = made
    outcome.picture = made.best


def measure(host: HostClient, outcome: Outcome, original: LoadedImage, sent: Semantics) -> None:
    """Compare the picture with the original, and with what an ideal channel would have given."""
    outcome.quality = _quality(host, original, outcome.picture)
    made = outcome.synthesis
    if made is not None:
        made.judge(host, original.pixels, sent)
        made.coarse_quality = _quality(host, original, made.coarse)
        made.heard_quality = _quality(host, original, made.heard)
    elif (channel := outcome.run.known_channel) is not None:
        stream = sent.streams[STREAM_PICTURE]
        outcome.ideal = ideal_quality(
            host,
            original.pixels,
            stream.symbols,
            stream.descriptor,
            channel.snr_db,
            outcome.run.seed,
        )


def _quality(
    host: HostClient, original: LoadedImage, picture: np.ndarray | None
) -> dict[str, Any] | None:
    """Of a picture that has the original's size."""
    if picture is None or picture.shape != original.pixels.shape:
        return None
    return host.quality(original.pixels, picture)
