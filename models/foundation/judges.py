# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture judges by the kind of their checkpoint: CLIP, DINO or a network for LPIPS."""

from __future__ import annotations

from models.foundation import lpips
from models.foundation.checkpoint import Checkpoint
from models.foundation.embeddings import CLIP_KINDS, DINO_KINDS, HfClip, HfDino
from models.foundation.placement import Placement
from models.roles import PictureJudge


def load_judge(spec: str, placement: Placement | None = None) -> PictureJudge:
    """The judge that ``spec`` names. Raises :class:`ModelError` for a checkpoint that is none."""
    checkpoint = Checkpoint.parse(spec, "picture judge")
    told = checkpoint.config()
    kind, architecture = told.get("model_type"), told.get("architecture")
    if architecture in lpips.KINDS:
        return lpips.HfLpips(spec, placement)
    if kind in CLIP_KINDS:
        return HfClip(spec, placement)
    if kind in DINO_KINDS:
        return HfDino(spec, placement)
    permitted = ", ".join((*CLIP_KINDS, *DINO_KINDS, *lpips.KINDS))
    raise checkpoint.error(f"checkpoint is of kind {kind or architecture}, permitted: {permitted}")
