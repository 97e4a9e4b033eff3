# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service does around the generator: words, edges, pictures, scores.

    load        {roles, wanted?}                            → loaded {names}
    caption     {} [image u8 (H,W,3)]                       → caption {text, confidence}
    edge_encode {} [image u8 (H,W,3)]                       → edge_code {codec, width, height}
                                                              [bits u8 (n,), edges u8 (H,W)]
    edge_decode {codec, width, height} [bits u8 (n,)]       → edges {} [edges u8 (H,W)]
    latent_encode {} [image u8 (H,W,3)]                     → latent_code {codec}
                                                              [latents f32 (C,h,w)]
    latent_decode {codec, width, height}
                [latents f32 (C,h,w), noise_var f32]        → decoded {} [image u8 (H,W,3)]
    generate    {text, width, height, steps?, guidance?, strength, edge_scale, seed, codec?}
                [edges u8 (H,W)?, coarse u8 (H,W,3)?, latents f32 (C,h,w)?, noise_var f32?]
                                                            → generated {steps, guidance, notes}
                                                              [image u8 (H,W,3)]
    check       as generate                                 → fine {}
    judge       {caption?} [reference u8, image u8]         → judged {scores, fidelity}

``generate`` tells its progress on the way: ``step {done, total}`` with the request's id.
A lost latent is 0 with a variance of infinity. Latents are of a picture whose sides are padded to
multiples of 8, of which ``width`` and ``height`` are cut out. ``check`` refuses what ``generate``
would refuse, before anything is on the air.
``fidelity`` is ``None`` unless ``caption`` is one of the scene world.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import numpy as np

from host.images import PIXELS_MAX
from models.roles import EdgeCode, Latents, Picture, Request
from models.tiers import RECEIVERS, Models, TierChoice
from semcom_blocks.errors import ConfigError
from semcom_blocks.wire import Message

Tell = Callable[[Message], None]
# Edge codes are a few hundredths of a bit per pixel; one bit per pixel is no code.
EDGE_BITS_MAX = PIXELS_MAX
LATENT_MULTIPLE = 8  # pixels: what the latent codecs of both tiers want
LATENTS_MAX = PIXELS_MAX // 4  # the embedded codec has 4 channels to 16 pixels


class GenerationHandlers:
    """The requests by kind, on the models that a run chose."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.by_kind: dict[str, Callable[[Message, Tell], Message]] = {
            "load": self._load,
            "caption": self._caption,
            "edge_encode": self._edge_encode,
            "edge_decode": self._edge_decode,
            "latent_encode": self._latent_encode,
            "latent_decode": self._latent_decode,
            "generate": self._generate,
            "check": self._check,
            "judge": self._judge,
        }

    def _load(self, request: Message, tell: Tell) -> Message:
        """Load what a run will need: what is missing is said before anything is on the air."""
        roles = tuple(map(str, request.value("roles", list)))
        if request.meta.get("wanted") is not None:
            self._check_choice(roles, TierChoice.from_dict(request.value("wanted", dict)))
        names = self._models.load(roles)
        return Message("loaded", {"names": names})

    def _check_choice(self, roles: tuple[str, ...], wanted: TierChoice) -> None:
        """A service that runs already has the models that it was started with."""
        ours = self._models.choice
        for role in (*roles, "control") if "generator" in roles else roles:
            if getattr(wanted, role, None) != (here := getattr(ours, role, None)):
                raise ConfigError(
                    f"models.{role} is {getattr(wanted, role)!a}, permitted with this host "
                    f"service: {here!a}; see semcom host --config"
                )

    def _caption(self, request: Message, tell: Tell) -> Message:
        found = self._models.captioner().caption(picture(request, "image"))
        return Message("caption", {"text": found.text, "confidence": found.confidence})

    def _edge_encode(self, request: Message, tell: Tell) -> Message:
        edges = self._models.edges().edges(picture(request, "image"))
        codec = self._models.edge_codec()
        code = codec.encode(edges)
        meta = {"codec": codec.name, "width": code.width, "height": code.height}
        return Message("edge_code", meta, {"bits": code.bits, "edges": edges})

    def _edge_decode(self, request: Message, tell: Tell) -> Message:
        bits = request.array("bits", np.uint8, 1)
        width, height = (request.value(key, int) for key in ("width", "height"))
        # What came over the air must not make the decoder allocate at will.
        if width < 1 or height < 1 or width * height > PIXELS_MAX:
            raise ConfigError(
                f"edge map is {width}x{height}, permitted: 1x1 to {PIXELS_MAX} pixels"
            )
        if len(bits) > EDGE_BITS_MAX or np.any(bits > 1):
            raise ConfigError(f"bits are no bits, permitted: up to {EDGE_BITS_MAX} of 0 and 1")
        codec = self._models.edge_codec()
        named = request.value("codec", str)
        if named != codec.name:
            raise ConfigError(f"edge codec is {named!a}, permitted here: {codec.name}")
        return Message("edges", {}, {"edges": codec.decode(EdgeCode(bits, width, height))})

    def _latent_encode(self, request: Message, tell: Tell) -> Message:
        codec = self._models.latents()
        latents = codec.encode(_padded(picture(request, "image")))
        return Message("latent_code", {"codec": _label(codec.name)}, {"latents": latents})

    def _latent_decode(self, request: Message, tell: Tell) -> Message:
        width, height = _size(request)
        latents, noise_var = self._received(request)
        # The best guess without any knowledge of pictures, for latents of unit variance.
        estimate = (latents / (1 + noise_var)).astype(np.float32)
        image = self._models.latents().decode(estimate)[:height, :width]
        return Message("decoded", {}, {"image": np.ascontiguousarray(image)})

    def _received(self, request: Message) -> tuple[Latents, Latents]:
        """Latents that came over the air and their variances, checked."""
        latents = request.array("latents", np.float32, 3)
        noise_var = request.array("noise_var", np.float32, 3)
        if latents.shape != noise_var.shape or not 0 < latents.size <= LATENTS_MAX:
            raise ConfigError(
                f"latents are {latents.shape} with variances {noise_var.shape}, permitted: "
                f"equal shapes of 1 to {LATENTS_MAX} values"
            )
        if not np.isfinite(latents).all() or not (noise_var >= 0).all():
            raise ConfigError("latents hold NaN or infinity, permitted: 0 where lost")
        named, ours = request.value("codec", str), _label(self._models.latents().name)
        if named != ours:
            raise ConfigError(f"latent codec is {named!a}, permitted here: {ours}")
        return latents, noise_var

    def _wanted(self, request: Message) -> Request:
        """The generator's request; for latents of the padded picture's size."""
        meta = request.meta
        width, height = _size(request)
        given: dict[str, Any] = {}
        if "latents" in request.arrays:
            given["latents"], given["noise_var"] = self._received(request)
        if given or self._models.choice.generator in RECEIVERS:
            width, height = (-(-n // LATENT_MULTIPLE) * LATENT_MULTIPLE for n in (width, height))
        return Request(
            text=request.value("text", str),
            width=width,
            height=height,
            edges=_optional(request, "edges", 2),
            coarse=_optional(request, "coarse", 3),
            strength=float(meta.get("strength", Request.strength)),
            edge_scale=float(meta.get("edge_scale", Request.edge_scale)),
            steps=meta.get("steps"),
            guidance=meta.get("guidance"),
            seed=int(meta.get("seed", 0)),
            **given,
        )

    def _check(self, request: Message, tell: Tell) -> Message:
        self._models.generator().check(self._wanted(request))
        return Message("fine")

    def _generate(self, request: Message, tell: Tell) -> Message:
        def step(done: int, total: int) -> None:
            tell(Message("step", {"done": done, "total": total}))

        width, height = _size(request)
        found = self._models.generator().generate(self._wanted(request), step)
        about = {"steps": found.steps, "guidance": found.guidance, "notes": list(found.notes)}
        image = np.ascontiguousarray(found.picture[:height, :width])
        return Message("generated", about, {"image": image})

    def _judge(self, request: Message, tell: Tell) -> Message:
        reference, image = picture(request, "reference"), picture(request, "image")
        scores: dict[str, float] = {}
        if reference.shape == image.shape:
            for judge in self._models.judges():
                scores |= judge.compare(reference, image)
        return Message("judged", {"scores": scores, "fidelity": self._fidelity(request, image)})

    def _fidelity(self, request: Message, image: np.ndarray) -> dict[str, Any] | None:
        caption = request.meta.get("caption")
        if not isinstance(caption, str):
            return None
        from models.scenes.fidelity import compare
        from models.scenes.grammar import parse

        try:
            wanted = parse(caption)
        except ConfigError:  # a photo's caption: nothing in it can be counted
            return None
        return compare(wanted, self._models.reader().read([image])[0]).as_dict()


def picture(request: Message, name: str) -> np.ndarray:
    """The picture ``name`` of a request, uint8 (H,W,3) of permitted size."""
    image = request.array(name, np.uint8, 3)
    height, width, colours = image.shape
    if colours != 3 or not 0 < height * width <= PIXELS_MAX:
        raise ConfigError(
            f"{name} is {image.shape}, permitted: (H, W, 3), 1 to {PIXELS_MAX} pixels"
        )
    return image


def _optional(request: Message, name: str, axes: int) -> np.ndarray | None:
    return request.array(name, np.uint8, axes) if name in request.arrays else None


def _size(request: Message) -> tuple[int, int]:
    """(width, height) of the picture that is asked for."""
    return request.value("width", int), request.value("height", int)


def _padded(image: Picture) -> Picture:
    """Rows and columns repeated below and right up to multiples of LATENT_MULTIPLE."""
    height, width = image.shape[:2]
    pad = [(0, -height % LATENT_MULTIPLE), (0, -width % LATENT_MULTIPLE), (0, 0)]
    return np.pad(image, pad, mode="edge")


def _label(codec: str) -> str:
    """A codec's name for the other side, where its folder may be another one."""
    return PurePath(codec).name
