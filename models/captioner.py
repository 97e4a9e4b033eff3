# SPDX-License-Identifier: GPL-3.0-or-later
"""The captioner: a picture of a scene to its caption, word by word.

::

    picture -> SceneTrunk -> nine cells (B,9,C) + place -> memory (B,9,D)
                                                              |  cross-attention
    words so far -> embedding + position -> N x [self-attention, cross-attention, MLP] -> next word

Greedy, and held to the grammar (:mod:`models.caption_path`): of the words that may follow, the
likeliest. The confidence is the product of their probabilities among those allowed. While training,
:class:`models.scene_trunk.CellHeads` teaches the trunk what stands where; the caption does not use
its output. The judge is another network: see :mod:`models.scene_judge`.

Paper: O. Vinyals et al., "Show and tell", CVPR 2015, arXiv:1411.4555, with a transformer decoder.
Training: :mod:`host.train.captioner`; what was reached: ``models/weights/captioner-v1.card.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.caption_path import CaptionPath
from models.roles import Caption
from models.scene_trunk import CellHeads, SceneTrunk, TrunkConfig, stacked
from models.scenes.grammar import WORDS, parse, tokens_of, write
from models.scenes.vocabulary import CELLS
from models.weights_io import WEIGHTS_DIR, load_into, read_card
from semcom_blocks.errors import ConfigError, ModelError, require_range

WEIGHTS = "captioner-v1"
START, END, PAD = "<start>", "<end>", "<pad>"
VOCABULARY = (PAD, START, END, ",", ".", *WORDS)
INDEX = {word: i for i, word in enumerate(VOCABULARY)}
LONGEST = 64  # words; the longest caption has 58 and its end


@dataclass(frozen=True)
class CaptionerConfig:
    """Sizes: trunk, width D, layers N, heads of attention."""

    trunk: TrunkConfig = field(default_factory=lambda: TrunkConfig((24, 64, 112)))
    width: int = 96
    layers: int = 2
    heads: int = 4

    def __post_init__(self) -> None:
        require_range("width", self.width, 4, 1024)
        require_range("layers", self.layers, 1, 16)
        require_range("heads", self.heads, 1, 64)
        if self.width % self.heads:
            raise ConfigError(f"heads is {self.heads}, permitted: divisors of {self.width}")

    @classmethod
    def from_dict(cls, values: dict) -> CaptionerConfig:
        """As stored in a card."""
        return cls(**{**values, "trunk": TrunkConfig(**values["trunk"])})


class Attention(nn.Module):
    """Multi-head attention; ``causal``: a position sees itself and what is before it."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B,T,D) to (B,H,T,D/H)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """(B,T,D) looks at (B,S,D)."""
        key, value = self.key_value(memory).chunk(2, -1)
        q, k, v = (self._split(y) for y in (self.query(x), key, value))
        found = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(found.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Self-attention, cross-attention and MLP, each on the normalised input and added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own = Attention(width, heads, causal=True)
        self.cross = Attention(width, heads, causal=False)
        self.mlp = nn.Sequential(
            nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)
        )

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """(B,T,D) with memory (B,S,D)."""
        normed = self.norms[0](x)
        x = x + self.own(normed, normed)
        x = x + self.cross(self.norms[1](x), memory)
        return x + self.mlp(self.norms[2](x))


class CaptionerNetwork(nn.Module):
    """Pictures and words so far to the logits of the next words."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = SceneTrunk(config.trunk)
        self.heads = CellHeads(config.trunk.widths[2])
        self.memory = nn.Linear(config.trunk.widths[2], config.width)
        self.place = nn.Parameter(0.02 * torch.randn(CELLS, config.width))
        self.words = nn.Embedding(len(VOCABULARY), config.width)
        nn.init.normal_(self.words.weight, std=0.02)
        self.position = nn.Parameter(0.02 * torch.randn(LONGEST, config.width))
        self.layers = nn.ModuleList(Layer(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.out = nn.Linear(config.width, len(VOCABULARY))

    def look(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B,3,64,64) to cells (B,C,3,3) and memory (B,9,D)."""
        cells = self.trunk(pictures)
        return cells, self.memory(cells.flatten(2).transpose(1, 2)) + self.place

    def tell(self, memory: Tensor, words: Tensor) -> Tensor:
        """Memory and words (B,T) to the logits of the word after each (B,T,V)."""
        x = self.words(words) + self.position[: words.shape[1]]
        for layer in self.layers:
            x = layer(x, memory)
        return self.out(self.norm(x))


def tokens(texts: Sequence[str]) -> Tensor:
    """Captions to int64 (B,LONGEST + 1): START, words, END, padding."""
    rows = [[INDEX[START], *(INDEX[t] for t in tokens_of(text)), INDEX[END]] for text in texts]
    return torch.tensor([row + [0] * (LONGEST + 1 - len(row)) for row in rows])


class SceneCaptioner:
    """Captions pictures of scenes; fills the role ``Captioner``."""

    def __init__(self, network: CaptionerNetwork, name: str = WEIGHTS) -> None:
        self.network = network.eval()
        self.name = name

    @classmethod
    def load(cls, name: str = WEIGHTS, directory: Path = WEIGHTS_DIR) -> SceneCaptioner:
        """With stored weights. Raises :class:`ModelError`."""
        card = read_card(name, directory)
        try:
            network = CaptionerNetwork(CaptionerConfig.from_dict(card["config"]))
        except (TypeError, KeyError, ConfigError) as error:
            raise ModelError(f"{directory / name}.json: not a captioner ({error})") from None
        load_into(network, directory / f"{name}.safetensors", card["sha256"])
        return cls(network, name)

    def caption(self, picture: NDArray[np.uint8]) -> Caption:
        """Caption of a picture uint8 (H,W,3) of any size; :class:`ConfigError` for others."""
        return self.captions(stacked([picture]))[0]

    @torch.no_grad()
    def captions(self, pictures: Tensor) -> list[Caption]:
        """Captions of pictures (B,3,64,64) in [0,1], all walked at once."""
        _, memory = self.network.look(pictures)
        paths = [CaptionPath() for _ in pictures]
        said: list[list[str]] = [[] for _ in pictures]
        logs = [0.0] * len(pictures)
        words = torch.full((len(pictures), 1), INDEX[START])
        while any(path.allowed for path in paths):
            # Where every picture has but one way to go on, the network need not be asked.
            free = any(len(path.allowed) > 1 for path in paths)
            chances = self.network.tell(memory, words)[:, -1] if free else None
            following = []
            for i, path in enumerate(paths):
                if not path.allowed:
                    following.append(INDEX[PAD])
                    continue
                word = path.allowed[0]
                if len(path.allowed) > 1 and chances is not None:
                    index = torch.tensor([INDEX[w] for w in path.allowed])
                    share = chances[i, index].log_softmax(0)
                    best = int(share.argmax())
                    word, logs[i] = path.allowed[best], logs[i] + float(share[best])
                path.take(word)
                said[i].append(word)
                following.append(INDEX[word])
            words = torch.cat((words, torch.tensor(following)[:, None]), 1)
        # Through the grammar once more: commas and full stops stand as a caption has them.
        texts = [write(parse(" ".join(row))) for row in said]
        return [Caption(text, math.exp(log)) for text, log in zip(texts, logs, strict=True)]
