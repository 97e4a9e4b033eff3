# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrives of a picture's latents, and what is known of each before any network looks.

A latent x has zero mean and unit variance (:meth:`models.generation.vae.Vae.encode`) and arrives as
y = x + e, e of variance s; lost is s = inf. Two latents of a place make one complex symbol, so s is
1/SNR of the symbol. For a Gaussian prior the posterior has mean w·y and variance 1-w, with

    w = 1/(1+s),        x = w·y + sqrt(1-w)·n,        n of zero mean and unit variance.

All trained receivers model n given everything that arrived (w·y and w of all places, the caption):
a latent that arrived without noise stays as it is, one that is lost is all theirs, and n is of one
size whatever the channel did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from models.generation.text import MAX_TOKENS
from semcom_blocks.errors import ConfigError, require_range

NOISE_FLOOR = 1e-4  # 40 dB: below, n is not worth a network's while and 1/sqrt(1-w) overflows
MIN_SNR_DB, MAX_SNR_DB = -30.0, 60.0


@dataclass(frozen=True)
class Received:
    """latents y (B,C,h,w), 0 where lost; noise_var s, as latents, inf where lost; text (B,3,T).

    h and w are even. A text of pads only (all zeros) says that no caption arrived.
    """

    latents: Tensor
    noise_var: Tensor
    text: Tensor

    def __post_init__(self) -> None:
        shape = self.latents.shape
        if self.latents.ndim != 4 or shape[2] % 2 or shape[3] % 2:
            raise ConfigError(f"latents is {tuple(shape)}, permitted: (B,C,h,w), h and w even")
        if self.noise_var.shape != shape:
            raise ConfigError(
                f"noise_var is {tuple(self.noise_var.shape)}, permitted: {tuple(shape)}"
            )
        if self.text.shape != (shape[0], 3, MAX_TOKENS):
            raise ConfigError(
                f"text is {tuple(self.text.shape)}, permitted: {(shape[0], 3, MAX_TOKENS)}"
            )
        if not torch.isfinite(self.latents).all():
            raise ConfigError("latents has infinite values or NaN, permitted: 0 where lost")
        if not (self.noise_var >= 0).all():  # NaN fails as well
            raise ConfigError("noise_var is negative or NaN, permitted: 0 to inf")

    @property
    def known(self) -> Tensor:
        """w of each latent: 1 where it arrived without noise, 0 where lost."""
        return 1 / (1 + self.noise_var)

    @property
    def estimate(self) -> Tensor:
        """w·y: the best guess without any knowledge of pictures."""
        return self.known * self.latents

    @property
    def spread(self) -> Tensor:
        """sqrt(1-w): how far the truth is from the estimate."""
        return (1 - self.known).sqrt()

    def complete(self, unknown: Tensor) -> Tensor:
        """x of n."""
        return self.estimate + self.spread * unknown

    def unknown(self, latents: Tensor) -> Tensor:
        """n of x, for training."""
        floor = (NOISE_FLOOR / (1 + NOISE_FLOOR)) ** 0.5
        return (latents - self.estimate) / self.spread.clamp_min(floor)

    def without_text(self) -> Received:
        """The same without the caption."""
        return Received(self.latents, self.noise_var, torch.zeros_like(self.text))


@runtime_checkable
class LatentReceiver(Protocol):
    """What arrived of the latents → all of them (B,C,h,w); deterministic given the seed."""

    name: str

    def restore(self, received: Received, seed: int = 0) -> Tensor: ...


class PlainReceiver:
    """No network: the estimate, 0 where lost. What every receiver has to beat."""

    name = "plain"

    def restore(self, received: Received, seed: int = 0) -> Tensor:
        """See the class."""
        return received.estimate


def transmit(
    latents: Tensor,
    lost: Tensor | float,
    snr_db: Tensor | float,
    generator: torch.Generator,
    packet: int = 8,
    text: Tensor | None = None,
) -> Received:
    """Send latents (B,C,h,w) in packets of ``packet`` places in reading order, lose a share.

    lost: share of the packets, (B,) or one number; of each picture that many, rounded, drawn at
    random. snr_db: of what arrives, (B,) or one number. All channels of a place share their fate.
    """
    require_range("packet", packet, 1, 65_536)
    batch, _, rows, columns = latents.shape
    share = torch.as_tensor(lost, dtype=torch.float32).expand(batch)
    snr = torch.as_tensor(snr_db, dtype=torch.float32).expand(batch)
    require_range("lost", float(share.min()), 0, 1)
    require_range("lost", float(share.max()), 0, 1)
    require_range("snr_db", float(snr.min()), MIN_SNR_DB, MAX_SNR_DB)
    require_range("snr_db", float(snr.max()), MIN_SNR_DB, MAX_SNR_DB)
    places = rows * columns
    count = -(-places // packet)
    rank = torch.rand(batch, count, generator=generator).argsort(1).argsort(1)
    gone = rank < (share * count).round()[:, None]  # (B,packets)
    gone = gone.repeat_interleave(packet, 1)[:, :places].view(batch, 1, rows, columns)
    variance = (10 ** (-snr / 10))[:, None, None, None].expand(batch, 1, rows, columns)
    noise = torch.randn(latents.shape, generator=generator)
    heard = latents + noise * variance.sqrt()
    if text is None:
        text = torch.zeros(batch, 3, MAX_TOKENS, dtype=torch.int64)
    return Received(
        heard.masked_fill(gone, 0.0),
        variance.masked_fill(gone, torch.inf).expand_as(latents),
        text,
    )
