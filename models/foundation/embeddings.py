# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges by embeddings: CLIP (picture and text), DINO (picture), sentence encoders (text).

Picture scores are (cos + 1) / 2 of two embeddings, in 0…1, as in Qiao et al., "Latency-aware
generative semantic communications with pre-trained diffusion models", section III-B.  Text
similarity is the cosine itself, of which Jiang et al. count what exceeds 0.6.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from models.foundation.checkpoint import Checkpoint
from models.foundation.placement import Placement
from models.roles import Picture

CLIP_KINDS = ("clip", "siglip", "siglip2", "chinese_clip", "align")
DINO_KINDS = ("dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "ijepa")
SENTENCE_KINDS = ("bert", "mpnet", "roberta", "xlm-roberta", "distilbert", "albert", "modernbert")


def score(a: Tensor, b: Tensor) -> float:
    """(cos + 1) / 2 of two vectors."""
    return float((F.cosine_similarity(a.float(), b.float(), dim=-1) + 1) / 2)


def _vector(output: object) -> Tensor:
    """The (B,D) embedding of what a network returns, with or without a wrapper around it."""
    if isinstance(output, Tensor):
        return output
    pooled = getattr(output, "pooler_output", None)
    if pooled is not None:
        return pooled
    return output.last_hidden_state[:, 0]  # type: ignore[attr-defined]  # the class token


class _Encoder:
    """A checkpoint with its processor, on its device."""

    role: str
    kinds: tuple[str, ...]

    def __init__(self, spec: str, placement: Placement | None = None) -> None:
        from transformers import AutoModel

        self._checkpoint = Checkpoint.parse(spec, self.role)
        self._placement = placement or Placement()
        self._checkpoint.require("model_type", self.kinds)
        self._processor = self._checkpoint.load(self._auto().from_pretrained)
        self._network = self._checkpoint.load_network(AutoModel, dtype=self._placement.dtype)
        self._network = self._network.to(self._placement.target)
        self.name = spec

    def _auto(self):
        raise NotImplementedError

    def _pixels(self, pictures: Sequence[Picture]) -> Tensor:
        images = [Image.fromarray(p) for p in pictures]
        inputs = self._processor(images=images, return_tensors="pt")
        return inputs["pixel_values"].to(self._placement.target, self._placement.dtype)


class HfClip(_Encoder):
    """The CLIP role: how well pictures fit each other, and a text."""

    role, kinds = "picture judge", CLIP_KINDS

    def _auto(self):
        from transformers import AutoProcessor

        return AutoProcessor

    @torch.inference_mode()
    def embed_pictures(self, pictures: Sequence[Picture]) -> Tensor:
        """float32 (B,D), in main memory."""
        with self._checkpoint.named_errors():
            return _vector(self._network.get_image_features(self._pixels(pictures))).float().cpu()

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """float32 (B,D), in main memory; texts over the token limit are cut."""
        with self._checkpoint.named_errors():
            tokens = self._processor(
                text=list(texts), padding="max_length", truncation=True, return_tensors="pt"
            ).to(self._placement.target)
            return _vector(self._network.get_text_features(**tokens)).float().cpu()

    def compare(self, reference: Picture, picture: Picture) -> dict[str, float]:
        """See :class:`models.roles.PictureJudge`: the score by the checkpoint's name."""
        one, other = self.embed_pictures([reference, picture])
        return {self.name: score(one, other)}

    def fits(self, picture: Picture, text: str) -> float:
        """(cos + 1) / 2 of a picture and a text."""
        return score(self.embed_pictures([picture])[0], self.embed_texts([text])[0])


class HfDino(_Encoder):
    """The DINO role: likeness of two pictures' structure."""

    role, kinds = "picture judge", DINO_KINDS

    def _auto(self):
        from transformers import AutoImageProcessor

        return AutoImageProcessor

    @torch.inference_mode()
    def embed_pictures(self, pictures: Sequence[Picture]) -> Tensor:
        """float32 (B,D), in main memory."""
        with self._checkpoint.named_errors():
            return _vector(self._network(pixel_values=self._pixels(pictures))).float().cpu()

    def compare(self, reference: Picture, picture: Picture) -> dict[str, float]:
        """See :class:`models.roles.PictureJudge`: the score by the checkpoint's name."""
        one, other = self.embed_pictures([reference, picture])
        return {self.name: score(one, other)}


class HfSentences(_Encoder):
    """The text similarity role: mean of the token embeddings, as sentence encoders are trained."""

    role, kinds = "text similarity", SENTENCE_KINDS

    def _auto(self):
        from transformers import AutoTokenizer

        return AutoTokenizer

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """float32 (B,D), unit length; texts over the token limit are cut."""
        with self._checkpoint.named_errors():
            tokens = self._processor(
                list(texts), padding=True, truncation=True, return_tensors="pt"
            ).to(self._placement.target)
            hidden = self._network(**tokens).last_hidden_state.float()
        mask = tokens["attention_mask"][..., None].float()
        return F.normalize((hidden * mask).sum(1) / mask.sum(1).clamp_min(1), dim=-1)

    def similarity(self, first: str, second: str) -> float:
        """Cosine of two texts, −1…1."""
        one, other = self.embed_texts([first, second])
        return float(one @ other)
