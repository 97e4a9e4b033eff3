# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables ``generation`` and ``models``: what is sent instead of the picture, and who draws."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from host.config.base import Frozen
from models.roles import MAX_GUIDANCE, MAX_STEPS
from models.tiers import EMBEDDED, TierChoice
from semcom_blocks.errors import ConfigError


class GenerationConfig(Frozen):
    """Semantic streams beside the prompt, and how the receiver draws from them."""

    enabled: bool = False
    # The edge map of the picture, as bits on M-QAM symbols.
    edges: bool = False
    # The picture itself by JSCC at ``codec.rate``, to be refined.
    coarse: bool = False
    # Latents of the picture as analog symbols, for a generator that completes them.
    latents: bool = False
    # Share of the latents that is sent; the receiver infers the rest.
    latent_share: float = Field(1.0, ge=0.01, le=1)
    # A scene's caption by the digits of its grammar instead of as text.
    pack_caption: bool = False
    # Bits per symbol of the edge stream: BPSK to 256-QAM.
    edge_bits_per_symbol: Literal[1, 2, 4, 6, 8] = 2
    # Of the sampler; absent means the generator's own choice.
    steps: int | None = Field(None, ge=1, le=MAX_STEPS)
    guidance: float | None = Field(None, ge=0, le=MAX_GUIDANCE)
    # How much of the coarse picture is drawn anew.
    strength: float = Field(0.5, ge=0, le=1)
    edge_scale: float = Field(1.0, ge=0, le=10)
    # Side of a scene that the command makes itself.
    scene_size: Literal[64, 128] = 64


class ModelsConfig(Frozen):
    """Who fills each role: ``embedded``, ``embedded:NAME``, or ``hf:<id or path>``.

    See ``models.tiers``.
    """

    captioner: str = EMBEDDED
    edges: str = EMBEDDED
    edge_codec: str = EMBEDDED
    text_encoder: str = EMBEDDED
    latents: str = EMBEDDED
    generator: str = EMBEDDED
    control: str | None = None
    judges: tuple[str, ...] = (EMBEDDED,)
    similarity: str = EMBEDDED
    device: Literal["auto", "cpu", "cuda"] = "auto"
    half: bool = True
    offload: Literal["none", "model", "sequential"] = "none"

    @field_validator("judges", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known(self) -> ModelsConfig:
        try:
            TierChoice.from_dict(self.model_dump())
        except ConfigError as error:  # pydantic's complaint names the table already
            raise ValueError(str(error).removeprefix("models.")) from None
        return self
