# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrived becomes a picture: decoded, or drawn; then compared with the original."""

from __future__ import annotations

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
        return
    pixels = outcome.original.pixels if outcome.original is not None else None
    size = (pixels.shape[1], pixels.shape[0]) if pixels is not None else None
    progress.stage("generate")
    made = synthesise(host, outcome.run, outcome.reception, size, progress.steps)
    for note in made.notes:
        progress.note(note)
    outcome.synthesis = made
    outcome.picture = made.generated if made.generated is not None else made.coarse


def measure(host: HostClient, outcome: Outcome, original: LoadedImage, sent: Semantics) -> None:
    """Compare the picture with the original, and with what an ideal channel would have given."""
    if outcome.picture is not None and outcome.picture.shape == original.pixels.shape:
        outcome.quality = host.quality(original.pixels, outcome.picture)
    made = outcome.synthesis
    if made is not None:
        made.judge(host, original.pixels, sent)
        if made.coarse is not None and made.coarse.shape == original.pixels.shape:
            made.coarse_quality = host.quality(original.pixels, made.coarse)
    elif outcome.run.channel.model != "none":
        stream = sent.streams[STREAM_PICTURE]
        outcome.ideal = ideal_quality(
            host,
            original.pixels,
            stream.symbols,
            stream.descriptor,
            outcome.run.channel.snr_db,
            outcome.run.seed,
        )
