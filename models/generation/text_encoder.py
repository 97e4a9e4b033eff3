# SPDX-License-Identifier: GPL-3.0-or-later
"""The text encoder role by the generator's own words: what the flow is conditioned on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.generation.flow import Flow, FlowConfig
from models.generation.loading import load_network
from models.generation.text import MAX_TOKENS, batch_tokens, tokenise
from models.roles import TextTokens
from models.scenes.grammar import parse, write

WEIGHTS = "flow-v1"


class FlowText:
    """A scene's caption → token embeddings float32 (MAX_TOKENS,D), zero where there is none."""

    def __init__(self, flow: Flow, name: str = WEIGHTS) -> None:
        self.flow = flow.eval()
        self.name = name

    @classmethod
    def load(cls, name: str = WEIGHTS, directory: Path | None = None) -> FlowText:
        """With stored weights. Raises :class:`semcom_blocks.errors.ModelError`."""
        return cls(load_network(Flow, FlowConfig, name, directory), name)

    @torch.no_grad()
    def encode(self, text: str) -> TextTokens:
        """See :class:`models.roles.TextEncoder`. Raises ConfigError for what is no caption."""
        canonical = write(parse(text)) if text.strip() else ""
        words, there, _ = self.flow.embed_text(batch_tokens([canonical]))
        found = np.zeros((MAX_TOKENS, self.flow.config.width), np.float32)
        mask = np.zeros(MAX_TOKENS, bool)
        found[: words.shape[1]], mask[: words.shape[1]] = words[0].numpy(), there[0].numpy()
        return TextTokens(found, mask, tokenise(canonical).dropped)
