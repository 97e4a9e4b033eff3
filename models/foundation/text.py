# SPDX-License-Identifier: GPL-3.0-or-later
"""The text encoder role by a CLIP text tower."""

from __future__ import annotations

import torch

from models.foundation.checkpoint import Checkpoint
from models.foundation.placement import Placement
from models.roles import TextTokens

KINDS = ("clip", "clip_text_model")


class HfTextEncoder:
    """A prompt → token embeddings float32 (T,D), as a diffusion model is conditioned on them."""

    def __init__(self, spec: str, placement: Placement | None = None) -> None:
        from transformers import AutoTokenizer, CLIPTextModel

        self._checkpoint = Checkpoint.parse(spec, "text encoder")
        self._placement = placement or Placement()
        self._checkpoint.require("model_type", KINDS)
        self._tokenizer = self._checkpoint.load(AutoTokenizer.from_pretrained)
        self._network = self._checkpoint.load_network(CLIPTextModel, dtype=self._placement.dtype)
        self._network = self._network.to(self._placement.target)
        self.name = spec

    @torch.inference_mode()
    def encode(self, text: str) -> TextTokens:
        """See :class:`models.roles.TextEncoder`; ``dropped`` holds the words that were cut."""
        with self._checkpoint.named_errors():
            tokens = self._tokenizer(
                text, padding="max_length", truncation=True, return_tensors="pt"
            ).to(self._placement.target)
            hidden = self._network(**tokens).last_hidden_state[0]
        whole = self._tokenizer(text, truncation=False, verbose=False).input_ids
        limit = self._tokenizer.model_max_length
        cut = self._tokenizer.decode(whole[limit - 1 : -1]) if len(whole) > limit else ""
        mask = tokens["attention_mask"][0].bool()
        return TextTokens(hidden.float().cpu().numpy(), mask.cpu().numpy(), tuple(cut.split()))
