# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to the model service: every wait is bounded, every failure is named."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import zmq

from semcom_blocks import errors
from semcom_blocks.errors import PeerError, SemcomError
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message

SLICE_S = 0.05  # how long a wait may be blind to a child that died
PING_PERIOD_S = 1.0
# The service answers pings while it computes; silence this long is a dead or stopped process.
# Importing torch from a cold disk holds Python's lock for seconds at a time.
SILENCE_MAX_S = 15.0
# A 16 MP picture on two slow cores takes a few minutes.
REQUEST_TIMEOUT_S = 600.0
SEND_TIMEOUT_S = 5.0


def named_error(name: str, text: str) -> SemcomError:
    """The exception that a service's ``error{name, text}`` stands for."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, SemcomError):
        return kind(text)
    return PeerError(f"host service failed: {name}: {text}")


class HostClient:
    """Request and reply over a DEALER.

    ``alive`` is called while waiting; it raises to end the wait (for example when a
    supervised process died).
    """

    def __init__(
        self,
        context: zmq.Context,
        endpoint: str,
        alive: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        silence_max_s: float = SILENCE_MAX_S,
    ) -> None:
        self._socket = MessageSocket(open_socket(context, zmq.DEALER, connect=endpoint))
        self._endpoint = endpoint
        self._alive = alive
        self._clock = clock
        self._silence_max_s = silence_max_s
        self._numbers = itertools.count()

    def ping(self, timeout_s: float) -> dict[str, Any]:
        """The service's ``pong`` (versions, state); ``PeerError`` if none comes in time."""
        deadline = self._clock() + timeout_s
        while self._clock() < deadline:
            self._alive()
            self._send(Message("ping", {"id": self._next_id("ping")}), SLICE_S)
            reply = self._socket.receive(SLICE_S)
            if reply is not None and reply.kind == "pong":
                return reply.meta
        raise PeerError(f"host service at {self._endpoint} does not answer within {timeout_s:g} s")

    def encode(
        self, image: np.ndarray, rate: str, snr_db: float, fading: bool = False
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """uint8 (H, W, 3) → complex64 symbols (k,) and their descriptor."""
        meta = {"rate": rate, "snr_db": float(snr_db), "fading": bool(fading)}
        reply = self.request(Message("encode", meta, {"image": image}), "encoded")
        return reply.array("symbols", np.complex64, 1), reply.value("descriptor", dict)

    def decode(
        self, symbols: np.ndarray, noise_var: np.ndarray, descriptor: dict[str, Any]
    ) -> np.ndarray:
        """Received symbols (erased ones 0 with infinite variance) → uint8 (H, W, 3)."""
        arrays = {
            "symbols": np.asarray(symbols, np.complex64),
            "noise_var": np.asarray(noise_var, np.float32),
        }
        reply = self.request(Message("decode", {"descriptor": descriptor}, arrays), "decoded")
        return reply.array("image", np.uint8, 3)

    def quality(self, reference: np.ndarray, image: np.ndarray) -> dict[str, Any]:
        """``psnr_db``, ``ms_ssim`` and ``ms_ssim_scales`` of ``image``."""
        arrays = {"reference": reference, "image": image}
        reply = self.request(Message("quality", {}, arrays), "quality")
        return {key: reply.meta.get(key) for key in ("psnr_db", "ms_ssim", "ms_ssim_scales")}

    def load(self, roles: list[str], wanted: dict[str, Any] | None = None) -> dict[str, str]:
        """Load the models of ``roles``; their names.

        ``wanted``: a run's table of models, which a service that runs already must have.
        """
        message = Message("load", {"roles": roles, "wanted": wanted})
        return self.request(message, "loaded").value("names", dict)

    def caption(self, image: np.ndarray) -> str:
        """uint8 (H, W, 3) → what the captioner says of it."""
        return self.request(Message("caption", {}, {"image": image}), "caption").value("text", str)

    def edge_encode(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """uint8 (H, W, 3) → its edge map's bits uint8 (n,), the map uint8 (H, W), and what
        :meth:`edge_decode` needs besides."""
        reply = self.request(Message("edge_encode", {}, {"image": image}), "edge_code")
        about = {"codec": reply.value("codec", str)}
        about |= {key: reply.value(key, int) for key in ("width", "height")}
        return reply.array("bits", np.uint8, 1), reply.array("edges", np.uint8, 2), about

    def edge_decode(self, bits: np.ndarray, about: dict[str, Any]) -> np.ndarray:
        """Received bits → edge map uint8 (H, W)."""
        reply = self.request(Message("edge_decode", about, {"bits": bits}), "edges")
        return reply.array("edges", np.uint8, 2)

    def latent_encode(self, image: np.ndarray) -> tuple[np.ndarray, str]:
        """uint8 (H, W, 3) → latents float32 (C, h, w) of the padded picture, and the codec."""
        reply = self.request(Message("latent_encode", {}, {"image": image}), "latent_code")
        return reply.array("latents", np.float32, 3), reply.value("codec", str)

    def latent_decode(
        self, latents: np.ndarray, noise_var: np.ndarray, about: dict[str, Any]
    ) -> np.ndarray:
        """Received latents, as they are → uint8 (H, W, 3); ``about``: codec, width, height."""
        arrays = {"latents": latents, "noise_var": noise_var}
        reply = self.request(Message("latent_decode", about, arrays), "decoded")
        return reply.array("image", np.uint8, 3)

    def check(self, meta: dict[str, Any], conditions: Mapping[str, np.ndarray]) -> None:
        """Raise what :meth:`generate` would raise, without drawing."""
        self.request(Message("check", meta, dict(conditions)), "fine")

    def generate(
        self,
        meta: dict[str, Any],
        conditions: Mapping[str, np.ndarray],
        on_step: Callable[[int, int], None] | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Semantics → uint8 (H, W, 3), and ``steps``, ``guidance``, ``notes`` of the sampler.

        ``meta``: text, width, height and what else :mod:`host.service.generation` takes;
        ``conditions``: those that there are of edges, coarse, latents and noise_var.
        """
        message = Message("generate", meta, dict(conditions))
        reply = self.request(message, "generated", on_step=on_step)
        about = {key: reply.meta.get(key) for key in ("steps", "guidance", "notes")}
        return reply.array("image", np.uint8, 3), about

    def judge(
        self, reference: np.ndarray, image: np.ndarray, caption: str | None = None
    ) -> dict[str, Any]:
        """``scores`` by judge's name, and ``fidelity`` counted against a scene's caption."""
        arrays = {"reference": reference, "image": image}
        reply = self.request(Message("judge", {"caption": caption}, arrays), "judged")
        return {key: reply.meta.get(key) for key in ("scores", "fidelity")}

    def request(
        self,
        message: Message,
        expected: str,
        timeout_s: float = REQUEST_TIMEOUT_S,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Message:
        """Send ``message`` and return the reply of kind ``expected``.

        ``on_step(done, total)`` hears what a long request says on its way.
        Raises the error that the service names, or ``PeerError`` when it is silent.
        """
        identifier = self._next_id(message.kind)
        request = Message(message.kind, {**message.meta, "id": identifier}, message.arrays)
        if not self._send(request, SEND_TIMEOUT_S):
            self._alive()
            raise PeerError(f"host service at {self._endpoint} takes no request")
        began = heard = pinged = self._clock()
        while True:
            self._alive()
            reply = self._socket.receive(SLICE_S)
            now = self._clock()
            if reply is not None:
                heard = now
                if reply.meta.get("id") == identifier and reply.kind != "step":
                    return self._checked(reply, expected)
                if reply.meta.get("id") == identifier and on_step is not None:
                    on_step(reply.value("done", int), reply.value("total", int))
            if now - began > timeout_s:
                raise PeerError(f"host service needs over {timeout_s:g} s for {message.kind}")
            if now - heard > self._silence_max_s:
                raise PeerError(
                    f"host service at {self._endpoint} does not answer for "
                    f"{self._silence_max_s:g} s, in {message.kind}"
                )
            if now - pinged > PING_PERIOD_S:
                pinged = now
                self._send(Message("ping", {"id": self._next_id("ping")}), 0)

    def close(self) -> None:
        """Close the socket; what is queued is dropped."""
        self._socket.close()

    def _checked(self, reply: Message, expected: str) -> Message:
        if reply.kind == "error":
            raise named_error(str(reply.meta.get("name")), str(reply.meta.get("text")))
        if reply.kind != expected:
            raise PeerError(f"host service replied {reply.kind!a}, permitted: {expected}")
        return reply

    def _next_id(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def _send(self, message: Message, timeout_s: float) -> bool:
        return self._socket.send(message, timeout_s)
