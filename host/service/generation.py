# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service does around the generator: words, edges, pictures, scores.

    load        {roles}                                     → loaded {names}
    caption     {} [image u8 (H,W,3)]                       → caption {text, confidence}
    edge_encode {} [image u8 (H,W,3)]                       → edge_code {codec, width, height}
                                                              [bits u8 (n,), edges u8 (H,W)]
    edge_decode {codec, width, height} [bits u8 (n,)]       → edges {} [edges u8 (H,W)]
    generate    {text, width, height, steps?, guidance?, strength, edge_scale, seed}
                [edges u8 (H,W)?, coarse u8 (H,W,3)?]       → generated {steps, guidance, notes}
                                                              [image u8 (H,W,3)]
    judge       {caption?} [reference u8, image u8]         → judged {scores, fidelity}

``generate`` tells its progress on the way: ``step {done, total}`` with the request's id.
``fidelity`` is ``None`` unless ``caption`` is one of the scene world.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from host.images import PIXELS_MAX
from models.roles import EdgeCode, Request
from models.tiers import Models
from semcom_blocks.errors import ConfigError
from semcom_blocks.wire import Message

Tell = Callable[[Message], None]
# Edge codes are a few hundredths of a bit per pixel; one bit per pixel is no code.
EDGE_BITS_MAX = PIXELS_MAX


class GenerationHandlers:
    """The requests by kind, on the models that a run chose."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.by_kind: dict[str, Callable[[Message, Tell], Message]] = {
            "load": self._load,
            "caption": self._caption,
            "edge_encode": self._edge_encode,
            "edge_decode": self._edge_decode,
            "generate": self._generate,
            "judge": self._judge,
        }

    def _load(self, request: Message, tell: Tell) -> Message:
        """Load what a run will need: what is missing is said before anything is on the air."""
        names = self._models.load(tuple(map(str, request.value("roles", list))))
        return Message("loaded", {"names": names})

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

    def _generate(self, request: Message, tell: Tell) -> Message:
        meta = request.meta
        wanted = Request(
            text=request.value("text", str),
            width=request.value("width", int),
            height=request.value("height", int),
            edges=_optional(request, "edges", 2),
            coarse=_optional(request, "coarse", 3),
            strength=float(meta.get("strength", Request.strength)),
            edge_scale=float(meta.get("edge_scale", Request.edge_scale)),
            steps=meta.get("steps"),
            guidance=meta.get("guidance"),
            seed=int(meta.get("seed", 0)),
        )

        def step(done: int, total: int) -> None:
            tell(Message("step", {"done": done, "total": total}))

        found = self._models.generator().generate(wanted, step)
        about = {"steps": found.steps, "guidance": found.guidance, "notes": list(found.notes)}
        return Message("generated", about, {"image": found.picture})

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
