# SPDX-License-Identifier: GPL-3.0-or-later
"""The captioner role by an image-to-text checkpoint (BLIP and its kin)."""

from __future__ import annotations

import torch
from PIL import Image

from models.foundation.checkpoint import Checkpoint
from models.foundation.placement import Placement
from models.roles import Caption, Picture
from semcom_blocks.errors import require_range

# Published captioners write 10 to 20 words; a runaway one ends here.
MAX_NEW_TOKENS = 40


class HfCaptioner:
    """A picture uint8 (H,W,3) → its caption. Greedy, so the same picture gives the same words."""

    def __init__(
        self, spec: str, placement: Placement | None = None, max_tokens: int = MAX_NEW_TOKENS
    ) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KINDS,
        )

        self._checkpoint = Checkpoint.parse(spec, "captioner")
        self._placement = placement or Placement()
        self._max_tokens = int(require_range("max_tokens", max_tokens, 1, 1024))
        self._checkpoint.require("model_type", tuple(sorted(KINDS)))
        self._processor = self._checkpoint.load(AutoProcessor.from_pretrained)
        self._network = self._checkpoint.load_network(
            AutoModelForImageTextToText, dtype=self._placement.dtype
        ).to(self._placement.target)
        self.name = spec

    @torch.inference_mode()
    def caption(self, picture: Picture) -> Caption:
        """One line of text; white space is folded. Confidence: product of the words'."""
        with self._checkpoint.named_errors():
            inputs = self._processor(images=Image.fromarray(picture), return_tensors="pt")
            inputs = inputs.to(self._placement.target, self._placement.dtype)
            told = self._network.generate(
                **inputs,
                max_new_tokens=self._max_tokens,
                do_sample=False,
                output_scores=True,
                return_dict_in_generate=True,
            )
            text = self._processor.batch_decode(told.sequences, skip_special_tokens=True)[0]
        logs = [step.float().log_softmax(-1).max() for step in told.scores]
        confidence = float(torch.stack(logs).sum().exp()) if logs else 0.0
        return Caption(" ".join(text.split()), confidence)
