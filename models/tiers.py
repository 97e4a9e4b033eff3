# SPDX-License-Identifier: GPL-3.0-or-later
"""Which model fills which role: ``embedded``, or ``hf:<id or path>``, made on first need.

Where the embedded tier has more than one model for a role, ``embedded:NAME`` picks one: the
generator is the latent flow, or a receiver of latents by its name (:mod:`models.receivers`).
This is the one place that knows both tiers. A role that the embedded tier cannot fill (photos have
no embedded caption) says so when it is asked.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from models.roles import (
    Captioner,
    EdgeCodec,
    EdgeExtractor,
    Generator,
    LatentCodec,
    PictureJudge,
    SceneReader,
    TextEncoder,
    TextSimilarity,
)
from semcom_blocks.errors import ConfigError, ModelError, require_choice

EMBEDDED = "embedded"
CANNY = "canny"
PREFIX = "hf:"
# Generators that complete received latents; "plain" is none, for comparison.
RECEIVERS = tuple(f"{EMBEDDED}:{kind}" for kind in ("vae", "nflow", "gan", "diffusion", "plain"))

# role → module and class of the embedded tier; imported on first need, since each brings a network.
_EMBEDDED = {
    "captioner": ("models.captioner", "SceneCaptioner"),
    "edges": ("models.edges.hed", "HedExtractor"),
    "edge_codec": ("models.edges.codec", "EdgeBitCodec"),
    "text_encoder": ("models.generation.text_encoder", "FlowText"),
    "latents": ("models.generation.latents", "VaeLatents"),
    "generator": ("models.generation.pipeline", "EmbeddedGenerator"),
    "reader": ("models.scene_judge", "SceneJudge"),
    "judge": ("models.contrastive", "ContrastiveJudge"),
    "similarity": ("models.contrastive", "ContrastiveSimilarity"),
}


ROLES = (
    "captioner",
    "edges",
    "edge_codec",
    "text_encoder",
    "latents",
    "generator",
    "reader",
    "judges",
    "similarity",
)
# Roles that no foundation model fills.
_OURS = ("edges", "edge_codec")


@dataclass(frozen=True)
class TierChoice:
    """A spec for each role, and where foundation models compute."""

    captioner: str = EMBEDDED
    edges: str = EMBEDDED
    edge_codec: str = EMBEDDED
    text_encoder: str = EMBEDDED
    latents: str = EMBEDDED
    generator: str = EMBEDDED
    control: str | None = None  # the ControlNet of an hf: generator
    judges: tuple[str, ...] = (EMBEDDED,)
    similarity: str = EMBEDDED
    device: str = "auto"
    half: bool = True
    offload: str = "none"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TierChoice:
        """Check the names and types of a table; raises :class:`ConfigError`."""
        known = {f.name: f for f in fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"models has unknown key {key!r}, permitted: {sorted(known)}")
        given = dict(values)
        judges = given.get("judges", (EMBEDDED,))
        if not isinstance(judges, (list, tuple)) or not all(isinstance(j, str) for j in judges):
            raise ConfigError(f"models.judges is {judges!r}, permitted: a list of names")
        given["judges"] = tuple(judges)
        for key in (r for r in ROLES if r in known and r != "judges"):
            check_spec(key, given.get(key, EMBEDDED))
        for judge in given["judges"]:
            check_spec("judges", judge)
        if given.get("control") is not None:
            if not given.get("generator", EMBEDDED).startswith(PREFIX):
                raise ConfigError("models.control is given, permitted with an hf: generator only")
            check_spec("control", given["control"], embedded=False)
        return cls(**given)


def check_spec(role: str, spec: object, embedded: bool = True) -> str:
    """Return ``spec`` if it can name a model for ``role``; raises :class:`ConfigError`."""
    permitted = [EMBEDDED] if embedded else []
    permitted += RECEIVERS if role == "generator" else []
    permitted += [CANNY] if role == "edges" else []
    named = isinstance(spec, str) and spec in permitted
    if role not in _OURS:
        permitted += [PREFIX + "ORG/NAME", PREFIX + "PATH"]
        named |= isinstance(spec, str) and spec.startswith(PREFIX) and len(spec) > len(PREFIX)
    if not named:
        raise ConfigError(f"models.{role} is {spec!a}, permitted: {', '.join(permitted)}")
    return str(spec)


@dataclass
class Models:
    """The models of a choice, each loaded on first need and kept."""

    choice: TierChoice = field(default_factory=TierChoice)
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    def load(self, roles: Sequence[str]) -> dict[str, str]:
        """Load ``roles`` now; returns their models' names. Raises what is missing."""
        names = {}
        for role in roles:
            require_choice("role", role, ROLES)
            made = getattr(self, role)()
            names[role] = ", ".join(m.name for m in (made if isinstance(made, tuple) else (made,)))
        return names

    def captioner(self) -> Captioner:
        """Picture → words."""
        return self._role("captioner", self.choice.captioner, "captioner", "HfCaptioner")

    def edges(self) -> EdgeExtractor:
        """Picture → edge map."""
        if self.choice.edges == CANNY:
            from models.foundation.edges import CannyEdges

            return self._once("edges", CannyEdges)
        return self._role("edges", self.choice.edges)

    def edge_codec(self) -> EdgeCodec:
        """Edge map ↔ bits."""
        return self._role("edge_codec", self.choice.edge_codec)

    def text_encoder(self) -> TextEncoder:
        """Prompt → token embeddings."""
        return self._role("text_encoder", self.choice.text_encoder, "text", "HfTextEncoder")

    def latents(self) -> LatentCodec:
        """Picture ↔ latents."""
        return self._role("latents", self.choice.latents, "latents", "HfLatents")

    def generator(self) -> Generator:
        """Semantics → picture."""
        if self.choice.generator == EMBEDDED:
            return self._role("generator", EMBEDDED)
        if self.choice.generator in RECEIVERS:
            return self._once("generator", self._receiver)

        def make() -> Generator:
            from models.foundation.generator import DiffusionGenerator

            return DiffusionGenerator(self.choice.generator, self.choice.control, self._placement())

        return self._once("generator", make)

    def reader(self) -> SceneReader:
        """What counts the attributes of a scene; always ours, since the world is."""
        return self._role("reader", EMBEDDED)

    def judges(self) -> tuple[PictureJudge, ...]:
        """All that say how alike two pictures are in meaning."""
        return tuple(
            self._once(f"judge {spec}", lambda spec=spec: self._judge(spec))
            for spec in self.choice.judges
        )

    def similarity(self) -> TextSimilarity:
        """How alike two texts are."""
        return self._role("similarity", self.choice.similarity, "embeddings", "HfSentences")

    def _receiver(self) -> Generator:
        from models.receivers.loading import ReceiverGenerator

        return ReceiverGenerator.load(self.choice.generator.partition(":")[2])

    def _judge(self, spec: str) -> PictureJudge:
        if spec == EMBEDDED:
            return _embedded("judge")
        from models.foundation.judges import load_judge

        return load_judge(spec, self._placement())

    def _role(self, role: str, spec: str, module: str = "", name: str = "") -> Any:
        def make() -> Any:
            if spec == EMBEDDED:
                return _embedded(role)
            found = getattr(importlib.import_module(f"models.foundation.{module}"), name)
            return found(spec, self._placement())

        return self._once(role, make)

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _placement(self) -> Any:
        from models.foundation.placement import Placement

        return Placement(self.choice.device, self.choice.half, self.choice.offload)


def _embedded(role: str) -> Any:
    module, name = _EMBEDDED[role]
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ModelError(f"embedded {role} cannot be loaded: {error}") from None
    return found.load()
