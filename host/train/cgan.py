# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the channel estimator: ``./semcom train cgan``; needs no data, the channels are drawn.

    generator      mean |Ĥ − H|² / ε, ε about the least error that knowing the profile would leave,
                   + λ · mean softplus(D(H) − D(Ĥ))
    discriminator  mean softplus(D(Ĥ) − D(H))

over all profiles, delays, Dopplers, SNRs, frame lengths, pilots and sizes of
:mod:`host.train.channel_draws`; λ is ``--adversarial``, and 0 leaves the squared error alone. The
first term is about the estimate's distance to the genie, so that no SNR and no profile outweighs
the others. The discriminator is a relativistic one (A. Jolicoeur-Martineau, arXiv:1807.00734).
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from host.train import options
from semcom_blocks.errors import require_range

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from host.train.channel_draws import Drawn

ADVERSARIAL = 0.02
LARGEST_RATIO = 30.0  # of an error to the least one: what single draws count at the most
VALIDATION_SEED, VALIDATION_COUNT = 211, 512
VALIDATION_SNR_DB = (0.0, 10.0, 20.0)
MAX_BYTES = 2**20
SUMMARY = {
    True: "Conditional GAN for channel estimation: received pilots and SNR in, residual on the "
    "robust LMMSE out. Loss: squared error and a relativistic discriminator, which is not stored.",
    False: "The generator of the channel estimator trained by its squared error alone, to compare.",
}
LIMITS = (
    "One response for a frame: Doppler beyond a quarter of a turn over it is not followed. "
    "FFT sizes of 512 and 1024 were not trained on. Spreads beyond half the prefix, or 9 samples, "
    "of the exponential kind neither."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train cgan``."""
    parser.add_argument(
        "--adversarial",
        type=float,
        default=ADVERSARIAL,
        metavar="λ",
        help="weight of the adversarial loss, 0 for the squared error alone (default: %(default)s)",
    )
    options.add_arguments(parser, name="", minutes=30.0, batch=128, lr=2e-3)
    parser.set_defaults(name=None, out=None)


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import numpy as np
    import torch

    from host.train import loop
    from host.train.card import About
    from host.train.channel_draws import NUMEROLOGIES, draw
    from models.channel.estimator import L2_NAME, NAME
    from models.channel.generator import Generator, GeneratorConfig

    require_range("adversarial", args.adversarial, 0, 10)
    adversarial = args.adversarial > 0
    args.name = args.name or (NAME if adversarial else L2_NAME)
    args.out = args.out or f"runs/{args.name}"
    options.check(args)
    config = GeneratorConfig()
    shares = np.array([share for share, _ in NUMEROLOGIES])

    def loss(module: nn.Module, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        numerology = NUMEROLOGIES[int(rng.choice(len(shares), p=shares / shares.sum()))][1]
        # The longer the transform, the fewer frames: every step costs about the same.
        count = max(1, args.batch * 64**2 // numerology.fft_size**2)
        return step_loss(module, draw(numerology, count, rng), args.adversarial)

    def validate(module: nn.Module) -> dict[str, float]:
        return scores(module["generator"] if adversarial else module)

    def build() -> nn.Module:
        return adversaries(config) if adversarial else Generator(config)

    about = About(
        architecture=f"{Generator.__module__}.{Generator.__name__}",
        config=asdict(config),
        summary=SUMMARY[adversarial],
        data=("channels drawn without end, see `host/train/channel_draws.py`",),
        limits=LIMITS,
        max_bytes=MAX_BYTES,
        part="generator" if adversarial else None,
    )
    loop.train(args, build, loss, about, shaping=("adversarial",), validate=validate)
    return 0


def adversaries(config) -> nn.Module:
    """Both networks, as ``generator`` and ``critic``."""
    from torch import nn

    from models.channel.discriminator import Discriminator
    from models.channel.generator import Generator

    return nn.ModuleDict({"generator": Generator(config), "critic": Discriminator()})


def step_loss(
    module: nn.Module, drawn: Drawn, adversarial: float
) -> tuple[Tensor, dict[str, float]]:
    """One step of both networks at once: no gradient of either's loss reaches the other's."""
    import torch
    import torch.nn.functional as F

    from host.train.channel_draws import least_error
    from models.channel.observed import images

    observed = drawn.observed
    generator = module["generator"] if adversarial else module
    seen = images(observed)
    sigma = observed.sigma[:, None]
    wanted = torch.from_numpy(((drawn.true - observed.start) / sigma).astype("complex64"))
    wanted = wanted * seen.turn.conj()
    given = generator(seen)
    least = torch.from_numpy((least_error(drawn) / sigma[:, 0] ** 2).astype("float32"))
    ratio = (given - wanted).abs().square().mean(1) / least
    # Beyond LARGEST_RATIO by its logarithm alone: one odd draw must not rule a batch.
    over = LARGEST_RATIO * (1 + torch.log(ratio / LARGEST_RATIO))
    distance = torch.where(ratio < LARGEST_RATIO, ratio, over).mean()
    if not adversarial:
        return distance, {}
    critic = module["critic"]
    real = critic(seen, wanted)
    judged = F.softplus(critic(seen, given.detach()) - real).mean()
    critic.requires_grad_(False)
    fooled = F.softplus(real.detach() - critic(seen, given)).mean()
    critic.requires_grad_(True)
    parts = {"ratio": distance, "critic": judged, "adversarial": fooled}
    total = distance + judged + adversarial * fooled
    return total, {k: float(v.detach()) for k, v in parts.items()}


def scores(generator: nn.Module) -> dict[str, float]:
    """Of held-out frames of the default size: dB of the error over LS, and over the genie."""
    import numpy as np

    from host.train.channel_draws import draw_frames, draw_paths, genie, observe
    from models.channel.estimator import ChannelEstimator
    from semcom_blocks.phy.numerology import Numerology

    estimator = ChannelEstimator(generator)
    num, found = Numerology(), {}
    for snr_db in VALIDATION_SNR_DB:
        rng = np.random.default_rng(VALIDATION_SEED)
        count = VALIDATION_COUNT
        given = draw_paths(num, count, rng), draw_frames(num, count, rng), np.full(count, snr_db)
        drawn = observe(num, *given, rng)
        estimate = estimator.estimate(drawn.observed, drawn.freedom)
        own = _error(drawn, estimate)
        found[f"over_ls_{snr_db:g}dB"] = own - _error(drawn, drawn.observed.ls)
        found[f"over_genie_{snr_db:g}dB"] = own - _error(drawn, genie(drawn))
    return found


def _error(drawn: Drawn, estimate: np.ndarray) -> float:
    """Mean squared error in dB of the error that LS has."""
    import numpy as np

    squared = np.mean(np.abs(estimate - drawn.true) ** 2, axis=1)
    return float(10 * np.log10(np.mean(squared / drawn.error_var)))
