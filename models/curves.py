# SPDX-License-Identifier: GPL-3.0-or-later
"""One strong coefficient on two or three symbols: a curve in space, not a straight line.

The strongest coefficients are worth far more than the accuracy of one symbol, while the weakest of
those sent are worth next to nothing. A coefficient z of unit variance may take the symbols of one
or two weak ones, which are then not sent:

    (x_l, x_m, x_t) = a · f(z; q),   E|f|² = 1,   q: SNR per symbol in dB that the curve is made for

f runs through space in folds, closer ones at a higher SNR, so that noise across the curve is shaken
off; on two symbols and at q = 0 it is the straight line (z, 0, 0), the linear code. (C. E. Shannon,
"Communication in the presence of noise", Proc. IRE 1949, section VII; F. Hekland, P. A. Floor,
T. A. Ramstad, "Shannon-Kotel'nikov mappings in joint source-channel coding", IEEE Trans. Commun.
2009.) The curves start as the best sines for a Gaussian z, and training bends them further: f is
linear between ``NODES`` values of z and ``LEVELS`` of q.

The decoder computes the mean of z given what was received: the distribution of z is a mixture of
narrow Gaussians at the nodes, along each of which the curve is straight, so that everything is
known in closed form (:meth:`Curves.find`), whatever the noise of each symbol, lost ones included.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SYMBOLS = 3  # that a curve may take
NODES = 57
STEP = 0.15  # between nodes; they reach to ±4.2 standard deviations, straight beyond
WIDTH, END_WIDTH = 0.5, 10.0  # of the Gaussian at a node, at the first and last one, in steps
LEVEL_STEP_DB = 2.0
LEVELS = 11  # 0…20 dB
HIGHEST_DB = LEVEL_STEP_DB * (LEVELS - 1)
LOWEST_DB = 0.1  # of a curve that is one
#: Best sines (z, β·sin ωz, γ·sin υz) for a Gaussian z in white noise, by the number of symbols:
#: SNR per symbol in dB; -10·log10 E(z - ẑ)²; β, ω, γ, υ.
SINES = {
    2: (
        (0.0, 4.77, 0.0, 1.35, 0.0, 0.0),
        (2.0, 6.34, 0.57, 1.75, 0.0, 0.0),
        (5.0, 9.1, 0.69, 2.23, 0.0, 0.0),
        (8.0, 12.39, 0.69, 2.77, 0.0, 0.0),
        (11.0, 15.8, 0.68, 3.58, 0.0, 0.0),
        (14.0, 19.4, 0.65, 4.32, 0.0, 0.0),
        (17.0, 22.85, 0.7, 4.88, 0.0, 0.0),
        (20.0, 26.2, 0.73, 5.48, 0.0, 0.0),
    ),
    3: (
        (0.0, 6.1, 0.4, 1.7, 0.0, 2.8),
        (2.0, 7.9, 0.63, 1.8, 0.35, 2.86),
        (4.0, 10.2, 0.77, 1.8, 0.59, 3.09),
        (6.0, 12.8, 0.92, 1.83, 0.71, 3.39),
        (8.0, 15.9, 1.07, 2.03, 0.81, 3.88),
        (10.0, 19.3, 1.16, 2.36, 0.85, 4.64),
        (12.0, 22.6, 1.22, 2.77, 0.92, 5.4),
        (14.0, 26.2, 1.28, 3.18, 1.01, 6.21),
        (17.0, 30.0, 1.56, 3.43, 1.35, 6.87),
        (20.0, 33.2, 1.6, 3.7, 1.4, 7.4),
    ),
}


def nodes(device: torch.device | None = None) -> Tensor:
    """Values of z, (NODES,)."""
    return STEP * (torch.arange(NODES, device=device) - (NODES - 1) / 2)


def sines() -> Tensor:
    """The curves that training starts from, on two and on three symbols: (2,LEVELS,NODES,3).

    E|f|² = 1 for a Gaussian z.
    """
    z, families = nodes(), []
    for table in SINES.values():
        known, _, *columns = torch.tensor(table).T.contiguous()
        level = LEVEL_STEP_DB * torch.arange(LEVELS)
        found = (_interpolate(level, known, column)[:, None] for column in columns)
        beta, omega, gamma, upsilon = found
        waves = beta * (omega * z).sin(), gamma * (upsilon * z).sin()
        families.append(torch.stack([z.expand_as(waves[0]), *waves], dim=2))
    curves = torch.stack(families)
    weight = (-z.square() / 2).exp()
    power = (curves.square().sum(3) * weight).sum(2) / weight.sum()
    return curves / power.sqrt()[:, :, None, None]


def _interpolate(x: Tensor, known: Tensor, values: Tensor) -> Tensor:
    """Piecewise linear through (known, values), both (N,), known ascending; any shape of x."""
    above = torch.searchsorted(known, x).clamp(1, len(known) - 1)
    share = (x - known[above - 1]) / (known[above] - known[above - 1])
    return torch.lerp(values[above - 1], values[above], share)


def error_of(snr: Tensor, symbols: int = 2) -> Tensor:
    """E(z - ẑ)² of the sines at an SNR per symbol (a ratio, not dB), any shape.

    Below the table it is that of the straight line, 1/(1 + symbols·snr), beyond it a straight
    continuation in dB.
    """
    known, sdr_db = torch.tensor(SINES[symbols], dtype=snr.dtype).T[:2].contiguous()
    found = 10 ** (-_interpolate(10 * snr.clamp_min(1e-9).log10(), known, sdr_db) / 10)
    straight = 1 / (1 + symbols * snr)
    return torch.where(snr < 1, straight, found.minimum(straight))


def _slopes(curves: Tensor) -> Tensor:
    """Change of (…,NODES,3) from node to node, centred where there are two neighbours."""
    steps = curves.diff(dim=-2)
    inner = (steps[..., 1:, :] + steps[..., :-1, :]) / 2
    return torch.cat([steps[..., :1, :], inner, steps[..., -1:, :]], dim=-2)


class Curves(nn.Module):
    """Shapes of the curves and the distribution of what they carry.

    shape (2,LEVELS,NODES,3): f on two and on three symbols at each level and node.
    log_prior (NODES,): of the share of coefficients around each node, up to a constant.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shape = nn.Parameter(sines())
        self.log_prior = nn.Parameter(-nodes().square() / 2)

    def at_level(self, level_db: Tensor, third: Tensor) -> Tensor:
        """Curves (A,NODES,3) for q in dB and the share of three symbols, 0…1, (A,) each."""
        place = level_db.clamp(0, HIGHEST_DB)[:, None] / LEVEL_STEP_DB
        weight = (1 - (place - torch.arange(LEVELS, device=place.device)).abs()).clamp_min(0)
        third = third.clamp(0, 1)[:, None]
        weight = torch.cat([weight * (1 - third), weight * third], dim=1)
        return (weight @ self.shape.flatten(0, 1).flatten(1)).unflatten(1, (NODES, SYMBOLS))

    def put(self, z: Tensor, curves: Tensor) -> tuple[Tensor, ...]:
        """f(z), three of (A,M), for z (A,M) of A coefficients in M blocks; curves (A,NODES,3)."""
        place = z / STEP + (NODES - 1) / 2
        low = place.detach().floor().clamp(0, NODES - 2).long()
        index = low[..., None].expand(-1, -1, SYMBOLS)
        first, second = curves.gather(1, index), curves.gather(1, index + 1)
        return torch.lerp(first, second, (place - low)[..., None]).unbind(-1)

    def find(
        self,
        score: tuple[Tensor, ...],
        precision: tuple[Tensor, ...],
        curves: Tensor,
    ) -> tuple[Tensor, ...]:
        """E(z | y) and the parts of E(f | y), (A,M) each, with curves (A,NODES,3) as received.

        y = f(z) + noise of precision P, its inverse covariance. score: the three parts of P·y;
        precision: P11, P12, P22, P33, the rest is 0; all (A,M). Around node k, f is f_k + e·t with
        t standard normal, and z = z_k + width·STEP·t. With u = e·P(y - f_k) and w = eᵀPe

            log share_k = log prior_k + f_k·P·y + (u²/(1 + w) - f_kᵀPf_k - log(1 + w))/2 + …
            E(t | k) = u/(1 + w)
        """
        if all(torch.equal(p, p[:, :1].expand_as(p)) for p in precision):
            precision = tuple(p[:, :1] for p in precision)  # white noise: the same in all blocks
        width = torch.full((NODES, 1), WIDTH, device=curves.device)
        width[[0, -1]] = END_WIDTH
        f1, f2, f3 = (part[:, None] for part in curves.unbind(-1))  # (A,1,K)
        e1, e2, e3 = (part[:, None] for part in (width * _slopes(curves)).unbind(-1))
        b1, b2, b3 = (part[..., None] for part in score)  # (A,M,1)
        p11, p12, p22, p33 = (part[..., None] for part in precision)
        v1, v2, v3 = p11 * f1 + p12 * f2, p12 * f1 + p22 * f2, p33 * f3
        along = 1 + p11 * e1 * e1 + 2 * p12 * e1 * e2 + p22 * e2 * e2 + p33 * e3 * e3
        fixed = self.log_prior - (f1 * v1 + f2 * v2 + f3 * v3 + along.log()) / 2
        u = b1 * e1 + b2 * e2 + b3 * e3 - (e1 * v1 + e2 * v2 + e3 * v3)
        step = u / along
        share = (b1 * f1 + b2 * f2 + b3 * f3 + fixed + u * step / 2).softmax(-1)
        moved = share * step
        z = share @ nodes(share.device) + STEP * (moved @ width[:, 0])
        where = ((share * f + moved * e).sum(-1) for f, e in ((f1, e1), (f2, e2), (f3, e3)))
        return z, *where
