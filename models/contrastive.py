# SPDX-License-Identifier: GPL-3.0-or-later
"""A contrastive picture-text network: the role that CLIP has among foundation models.

::

    picture -> SceneTrunk -> nine cells -> MLP -> e(picture), 128 values, norm 1
    text -> words -> transformer -> mean -> linear -> e(text), 128 values, norm 1

    score(picture, text) = (e(picture)·e(text) + 1)/2

Trained so that a picture's own caption scores above the others of the batch and above captions that
are wrong in one word or have two colours exchanged (hard negatives). It knows scenes and their
captions, and the ten classes of CIFAR-10 in simple sentences. Its scores carry its own name: they
are not CLIP's and not comparable with CLIP's.

Words outside the vocabulary go to one of UNKNOWN buckets by their checksum, so that equal strange
words look equal; what they mean it cannot know.

Papers
* A. Radford et al., "Learning transferable visual models from natural language supervision" (CLIP),
  ICML 2021, arXiv:2103.00020.
* M. Yuksekgonul et al., "When and why vision-language models behave like bags-of-words", ICLR 2023,
  arXiv:2210.01936 (hard negatives).

Training: :mod:`host.train.contrastive`; what was reached:
``models/weights/contrastive-v1.card.md``.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.scene_trunk import SceneTrunk, TrunkConfig, stacked
from models.scenes.grammar import WORDS, tokens_of
from models.scenes.vocabulary import CELLS
from models.weights_io import WEIGHTS_DIR, load_into, read_card
from semcom_blocks.errors import ConfigError, ModelError, require_range

WEIGHTS = "contrastive-v1"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
OTHER_WORDS = ("plane", "car", "boat", "lorry")
TALK = ("photo", "picture", "image", "photograph", "in", "there", "shows")
PAD = "<pad>"
KNOWN = tuple(dict.fromkeys((PAD, ",", ".", *WORDS, *CLASSES, *OTHER_WORDS, *TALK)))
INDEX = {word: i for i, word in enumerate(KNOWN)}
UNKNOWN = 128  # buckets of strange words
LONGEST = 64  # words that are read; the longest scene caption has 58
MAX_TEXT = 64 * 1024  # characters, as a prompt on the link
MAX_LOG_SCALE = math.log(100.0)  # CLIP's limit


@dataclass(frozen=True)
class ContrastiveConfig:
    """Sizes: picture's trunk and hidden layer, text's width, layers and heads, embedding."""

    trunk: TrunkConfig = field(default_factory=lambda: TrunkConfig((32, 80, 128), 3))
    hidden: int = 192
    width: int = 96
    layers: int = 2
    heads: int = 4
    embedding: int = 128

    def __post_init__(self) -> None:
        for name in ("hidden", "width", "embedding"):
            require_range(name, getattr(self, name), 4, 2048)
        require_range("layers", self.layers, 1, 16)
        require_range("heads", self.heads, 1, 64)
        if self.width % self.heads:
            raise ConfigError(f"heads is {self.heads}, permitted: divisors of {self.width}")

    @classmethod
    def from_dict(cls, values: dict) -> ContrastiveConfig:
        """As stored in a card."""
        return cls(**{**values, "trunk": TrunkConfig(**values["trunk"])})


class ContrastiveNetwork(nn.Module):
    """Two towers and the scale of their products."""

    def __init__(self, config: ContrastiveConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = SceneTrunk(config.trunk)
        self.picture_head = nn.Sequential(
            nn.Linear(CELLS * config.trunk.widths[2], config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.embedding),
        )
        self.words = nn.Embedding(len(KNOWN) + UNKNOWN, config.width)
        nn.init.normal_(self.words.weight, std=0.05)
        self.position = nn.Parameter(0.05 * torch.randn(LONGEST, config.width))
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            3 * config.width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.text = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.text_norm = nn.LayerNorm(config.width)
        self.text_head = nn.Linear(config.width, config.embedding)
        self.log_scale = nn.Parameter(torch.tensor(math.log(14.0)))

    def of_pictures(self, pictures: Tensor) -> Tensor:
        """(B,3,64,64) in [0,1] to (B,E) of norm 1."""
        return F.normalize(self.picture_head(self.trunk(pictures).flatten(1)).float(), dim=1)

    def of_words(self, words: Tensor) -> Tensor:
        """Word numbers (B,T), 0 behind the end, to (B,E) of norm 1."""
        behind = words == INDEX[PAD]
        x = self.words(words) + self.position[: words.shape[1]]
        x = self.text_norm(self.text(x, src_key_padding_mask=behind))
        there = (~behind)[..., None].to(x.dtype)
        mean = (x * there).sum(1) / there.sum(1).clamp_min(1)
        return F.normalize(self.text_head(mean).float(), dim=1)

    def scale(self) -> Tensor:
        """Factor of the products in the softmax, at most 100."""
        return self.log_scale.clamp(max=MAX_LOG_SCALE).exp()


def word_numbers(texts: Sequence[str]) -> Tensor:
    """Texts to int64 (B,T), T ≤ LONGEST; an empty text is one full stop."""
    rows = []
    for text in texts:
        if len(text) > MAX_TEXT:
            raise ConfigError(f"text has {len(text)} characters, permitted: at most {MAX_TEXT}")
        words = tokens_of(text)[:LONGEST] or ["."]
        rows.append([INDEX[w] if w in INDEX else _bucket(w) for w in words])
    longest = max((len(row) for row in rows), default=1)
    padded = [row + [INDEX[PAD]] * (longest - len(row)) for row in rows]
    return torch.tensor(padded, dtype=torch.int64).reshape(len(rows), longest)


def _bucket(word: str) -> int:
    return len(KNOWN) + zlib.crc32(word.encode("utf-8", "surrogatepass")) % UNKNOWN


class ContrastiveJudge:
    """Scores under its own name; fills the role ``PictureJudge``, and ``TextSimilarity`` too."""

    def __init__(self, network: ContrastiveNetwork, name: str = WEIGHTS) -> None:
        self.network = network.eval()
        self.name = name

    @classmethod
    def load(cls, name: str = WEIGHTS, directory: Path = WEIGHTS_DIR) -> ContrastiveJudge:
        """With stored weights. Raises :class:`ModelError`."""
        card = read_card(name, directory)
        try:
            network = ContrastiveNetwork(ContrastiveConfig.from_dict(card["config"]))
        except (TypeError, KeyError, ConfigError) as error:
            raise ModelError(f"{directory / name}.json: not this network ({error})") from None
        load_into(network, directory / f"{name}.safetensors", card["sha256"])
        return cls(network, name)

    @torch.no_grad()
    def embed_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Pictures uint8 (H,W,3) of any sizes to (B,E), each of norm 1."""
        return self.network.of_pictures(stacked(pictures)).numpy()

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts to (B,E), each of norm 1."""
        return self.network.of_words(word_numbers(texts)).numpy()

    def compare(self, reference: NDArray[np.uint8], picture: NDArray[np.uint8]) -> dict[str, float]:
        """(cosine + 1)/2 of two pictures, as the CLIP metric of Qiao et al., by our name."""
        first, second = self.embed_pictures([reference, picture])
        return {self.name: _share(first, second)}

    def fits(self, picture: NDArray[np.uint8], text: str) -> float:
        """(cosine + 1)/2 of a picture and a text."""
        return _share(self.embed_pictures([picture])[0], self.embed_texts([text])[0])

    def similarity(self, first: str, second: str) -> float:
        """Cosine of two texts, −1…1."""
        return float(np.clip(np.dot(*self.embed_texts([first, second])), -1, 1))


class ContrastiveSimilarity(ContrastiveJudge):
    """The same network in the role ``TextSimilarity`` alone."""


def _share(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.clip((np.dot(first, second) + 1) / 2, 0, 1))
