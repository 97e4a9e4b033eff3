# SPDX-License-Identifier: GPL-3.0-or-later
"""The receivers by their names, and a generator on each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.generation.flow import Flow, FlowConfig
from models.generation.loading import load_network
from models.generation.text import MAX_TOKENS, batch_tokens, tokenise
from models.generation.vae import STRIDE, Vae, VaeConfig
from models.pictures import to_bytes
from models.receivers import adversarial, coupling, gaussian
from models.receivers.diffusion import DiffusionReceiver
from models.receivers.received import LatentReceiver, PlainReceiver, Received
from models.roles import Generated, Request, StepDone
from models.scenes.grammar import parse, write
from semcom_blocks.errors import ConfigError, require_choice

TRAINED = {
    "vae": (gaussian.GaussianReceiver, gaussian.GaussianConfig, gaussian.NAME),
    "nflow": (coupling.CouplingReceiver, coupling.CouplingConfig, coupling.NAME),
    "gan": (adversarial.AdversarialReceiver, adversarial.AdversarialConfig, adversarial.NAME),
}
# Every place attends to every other: half a minute on two processor cores.
MAX_ATTENDED_PIXELS = 520 * 520
KINDS = (*TRAINED, "diffusion")


def load_receiver(
    kind: str, directory: Path | None = None, flow: str = "flow-v1"
) -> LatentReceiver:
    """One of KINDS, or ``plain``. Raises ConfigError (kind), ModelError (weights)."""
    require_choice("receiver", kind, (*KINDS, PlainReceiver.name))
    if kind == PlainReceiver.name:
        return PlainReceiver()
    if kind == DiffusionReceiver.name:
        return DiffusionReceiver(load_network(Flow, FlowConfig, flow, directory))
    network, config, name = TRAINED[kind]
    return load_network(network, config, name, directory)


class ReceiverGenerator:
    """Fills :class:`models.roles.Generator`: latents that arrived in part, a caption → a picture.

    ``request.latents`` with ``request.noise_var`` (None: what arrived is exact); NaN or a variance
    of inf is a lost latent. No latents at all: everything is lost, and the caption is all there is.
    """

    def __init__(self, receiver: LatentReceiver, vae: Vae) -> None:
        self.receiver = receiver
        self.vae = vae
        self.name = f"receiver {receiver.name}"

    @classmethod
    def load(
        cls, kind: str = "vae", directory: Path | None = None, vae: str = "vae-v1"
    ) -> ReceiverGenerator:
        """From weights and cards. Raises ConfigError, ModelError."""
        return cls(load_receiver(kind, directory), load_network(Vae, VaeConfig, vae, directory))

    def check(self, request: Request) -> None:
        """Raises ConfigError (size, edges or coarse picture given, a caption that is all there is
        and that the grammar does not know)."""
        for name in ("edges", "coarse"):
            if getattr(request, name) is not None:
                raise ConfigError(f"{name} is given, permitted for a receiver: latents and text")
        self._caption(request)  # what is missing is said before what does not fit
        for name in ("width", "height"):
            side = getattr(request, name)
            if side % (2 * STRIDE):
                raise ConfigError(f"{name} is {side}, permitted: multiples of {2 * STRIDE}")
        pixels = request.width * request.height
        if isinstance(self.receiver, DiffusionReceiver) and pixels > MAX_ATTENDED_PIXELS:
            raise ConfigError(
                f"picture has {pixels} pixels, permitted for {self.name}: {MAX_ATTENDED_PIXELS}"
            )
        self.received(request)

    @torch.no_grad()
    def generate(self, request: Request, progress: StepDone | None = None) -> Generated:
        """Draw the picture. Raises as :meth:`check`."""
        self.check(request)
        received, notes = self.received(request)
        latents = self.receiver.restore(received, request.seed)
        picture = self.vae.decode(latents)[0].permute(1, 2, 0)
        if progress:
            progress(1, 1)
        steps = getattr(self.receiver, "steps", 1)
        guidance = float(getattr(self.receiver, "guidance", 1.0))
        return Generated(np.ascontiguousarray(to_bytes(picture)), steps, guidance, notes)

    def received(self, request: Request) -> tuple[Received, tuple[str, ...]]:
        """What the request says that arrived, and notes on the caption."""
        wanted = (
            self.vae.config.channels,
            request.height // STRIDE,
            request.width // STRIDE,
        )
        latents = np.full(wanted, np.nan, np.float32)
        if request.latents is not None:
            latents = np.array(request.latents, np.float32)
        noise_var = np.zeros(wanted, np.float32)
        if request.noise_var is not None:
            noise_var = np.array(request.noise_var, np.float32)
        for name, array in (("latents", latents), ("noise_var", noise_var)):
            if array.shape != wanted:
                raise ConfigError(f"{name} is {array.shape}, permitted: {wanted}")
        lost = ~np.isfinite(latents) | ~(noise_var < np.inf)
        text, notes = self._caption(request)
        return (
            Received(
                torch.from_numpy(np.where(lost, 0, latents))[None],
                torch.from_numpy(np.where(lost, np.inf, noise_var).astype(np.float32))[None],
                batch_tokens([text]),
            ),
            notes,
        )

    def _caption(self, request: Request) -> tuple[str, tuple[str, ...]]:
        """The caption in the grammar's own words, empty where it is of no use, and notes.

        Beside latents a photo's caption is left out: they say what is in the picture.
        """
        if not request.text.strip():
            return "", ()
        try:
            text = write(parse(request.text))
        except ConfigError as error:
            if request.latents is None:
                raise
            return "", (f"the prompt was not used: {error}",)
        if dropped := tokenise(text).dropped:
            return text, (
                f"the prompt has {MAX_TOKENS + len(dropped)} tokens, cut to {MAX_TOKENS}: "
                f"from {dropped[0]!r} on it has no effect",
            )
        return text, ()
