# SPDX-License-Identifier: GPL-3.0-or-later
"""Where curves stand in the code: strong channels of a block, each with its mate and a third.

Of the channels sent, the first quarter, up to MOST_CURVED, may have their coefficients on curves
(:mod:`models.curves`). ``level`` says which: by rate, SNR and place in the block the q of its
curve; at 0 strong and weak are sent side by side on straight lines. In between, and while training
moves it, both go at once: the receiver takes the weak one for noise while it looks for the strong
one, and then finds the weak one in what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.curves import Curves
from models.pairing import estimate, mates_of
from models.rates import CURVED, MOST_CURVED, TABLE, at_condition
from models.transform import from_blocks, spans, to_blocks

Rows = tuple[Tensor, ...]
CHUNK = 4096  # coefficients at a time: what is computed of them stays in the cache


class Plan(NamedTuple):
    """Which strong coefficients are on curves, and where they find their other symbols.

    level: q in dB, 0 for none; third: share of three symbols; channels of the mates, of the others,
    their third symbols, and of the partners that those are in pairs with; (B,C,h,w) each.
    """

    level: Tensor
    third: Tensor
    mates: Tensor
    others: Tensor
    partners: Tensor

    def any(self) -> bool:
        """Whether there is a curve at all."""
        return bool((self.level > 0).any())


def _pair(heard: Tensor, trust: Tensor, first: Tensor, second: Tensor) -> Rows:
    """Of pairs of channels (B,C,h,w) each: s, d and what was heard along x_l and x_m."""
    t, mate_t = trust.gather(1, first), trust.gather(1, second)
    y, mate_y = heard.gather(1, first), heard.gather(1, second)
    return (t + mate_t) / 2, (t - mate_t) / 2, (y + mate_y) * 0.5**0.5, (y - mate_y) * 0.5**0.5


class StrongPairs(nn.Module):
    """Strong coefficients to two or three symbols each and back.

    level, third (2,R,S,CURVED): q in dB and share of three symbols, see :class:`Plan`.
    """

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.curves = Curves()
        self.level = nn.Parameter(torch.zeros(*TABLE, CURVED))
        self.third = nn.Parameter(torch.zeros(*TABLE, CURVED))
        self.channels = min(MOST_CURVED, latents // 4)

    def plan(self, snr_db: Tensor, planes: Tensor, fading: Tensor, ranks: Tensor) -> Plan:
        """Which coefficients are on which curves, for latents of these ``ranks`` (L,h,w)."""
        first = ranks[: self.channels]
        known = snr_db, planes, fading
        level, third = (at_condition(t, *known)[:, first] for t in (self.level, self.third))
        mates, _ = mates_of(planes, len(ranks))
        own = torch.arange(self.channels, device=planes.device)
        count = (planes // 2).clamp_max(MOST_CURVED)[:, None]
        # Beyond those that may be on curves, where nothing is: any channel will do.
        others = (mates[:, : self.channels] - count).clamp_min(0)
        wide = (-1, -1, *first.shape[1:])
        grids = mates[:, : self.channels], others, (own + count).clamp_max(len(ranks) - 1)
        return Plan(level, third, *(grid[:, :, None, None].expand(wide) for grid in grids))

    def bend(self, unit: Tensor, amplitude: Tensor, plan: Plan) -> Tensor:
        """Coefficients of unit variance (B,L,h,w) → latents that are sent, same shape.

        amplitude (B,L,h,w).
        """
        latents = unit * amplitude
        count = self.channels
        if not plan.any():
            return latents

        def put(curves: Tensor, z: Tensor) -> Rows:
            return self.curves.put(z, curves)

        strong, nothing = unit[:, :count], torch.zeros_like(unit[:, :count])
        own, *across = self._by_blocks(put, plan, (strong, nothing, nothing), strong)
        power = amplitude[:, :count]
        latents = torch.cat([power * own, latents[:, count:]], 1)
        for channels, part in zip((plan.mates, plan.others), across, strict=True):
            latents = latents.scatter_add(1, channels, power * part)
        return latents

    def find(
        self, heard: Tensor, trust: Tensor, amplitude: Tensor, plan: Plan, planes: Tensor
    ) -> Tensor:
        """Estimates of unit variance (B,L,h,w) of all coefficients.

        heard, trust: as for :func:`models.pairing.estimate`; amplitude (B,L,h,w) as received;
        planes (B,).
        """
        count = self.channels
        if not plan.any():
            return amplitude * estimate(heard, trust, amplitude.square(), planes)
        # In the axes before pairs were turned: x_l and x_m, noise of precision [[s, d], [d, s]].
        own = torch.arange(count, device=heard.device)[:, None, None].expand_as(plan.mates)
        s, d, along, across = _pair(heard, trust, own, plan.mates)
        s_t, d_t, along_t, across_t = _pair(heard, trust, plan.partners, plan.others)
        weak = amplitude.gather(1, plan.mates)
        known_t, other_t = (amplitude.gather(1, c).square() for c in (plan.partners, plan.others))
        rest_t = 1 / (1 + known_t * s_t)  # the partner of the third is not known either
        score_t = across_t - d_t * known_t * rest_t * along_t
        precise_t = s_t - d_t.square() * known_t * rest_t
        among_t = 1 / (1 + other_t * precise_t)  # and what the third itself carries is noise

        def find(curves: Tensor, *rows: Tensor) -> Rows:
            received, weak, s, d, along, across, score_t, precise_t = rows
            curves = curves * received[:, :1, None]  # the same in all blocks
            power = weak.square()
            rest = 1 / (1 + power * s)  # the weak one is noise across
            score = along - d * power * rest * across, across * rest, score_t
            precision = s - d.square() * power * rest, d * rest, s * rest, precise_t
            z, f1, f2, f3 = self.curves.find(score, precision, curves)
            return z, weak * rest * (across - d * f1 - s * f2), f3

        strong = amplitude[:, :count]
        given = strong, weak, s, d, along, across, score_t * among_t, precise_t * among_t
        nothing = torch.zeros_like(strong)
        z, others, third = self._by_blocks(find, plan, (nothing, nothing, nothing), *given)
        # What is left for the rest of the pairs that a third belongs to.
        moved = third * 0.5**0.5
        heard = heard.scatter_add(1, plan.partners, -moved * trust.gather(1, plan.partners))
        heard = heard.scatter_add(1, plan.others, moved * trust.gather(1, plan.others))
        unit = amplitude * estimate(heard, trust, amplitude.square(), planes)
        bent = plan.level > 0
        others = torch.where(bent, others, unit.gather(1, plan.mates))
        z = torch.where(bent, z, unit[:, :count])
        return torch.cat([z, unit[:, count:]], 1).scatter(1, plan.mates, others)

    def _by_blocks(
        self, compute: Callable[..., Rows], plan: Plan, otherwise: Rows, *grids: Tensor
    ) -> Rows:
        """What ``compute`` makes of grids (B,C,h,w) where they are on curves, and ``otherwise``.

        ``compute`` gets the curves (A,NODES,3) of A coefficients and rows (A,M) of each grid, M
        blocks of a picture.
        """
        height, width = plan.level.shape[2:]
        bands = []
        for rows, a in spans(height):
            parts = []
            for columns, b in spans(width):
                area = (slice(None), slice(None), rows, columns)
                shape = [t[area][:, :, :a, :b].flatten(1) for t in (plan.level, plan.third)]
                bent = shape[0] > 0  # (B,E), the same in any block
                kept = [to_blocks(grid[area], a, b).transpose(1, 2) for grid in otherwise]
                if bent.any():
                    given = (to_blocks(grid[area], a, b).transpose(1, 2)[bent] for grid in grids)
                    size = max(1, CHUNK // kept[0].shape[2])
                    given = [*(t[bent] for t in shape), *given]
                    pieces = zip(*(g.split(size) for g in given), strict=True)
                    found = [compute(self.curves.at_level(*p[:2]), *p[2:]) for p in pieces]
                    found = [torch.cat(f) for f in zip(*found, strict=True)]
                    where = bent.nonzero(as_tuple=True)
                    kept = [k.index_put(where, f) for k, f in zip(kept, found, strict=True)]
                m = (rows.stop - rows.start) // a
                parts.append([from_blocks(k.transpose(1, 2), self.channels, a, b, m) for k in kept])
            bands.append([torch.cat(grid, dim=3) for grid in zip(*parts, strict=True)])
        return tuple(torch.cat(grid, dim=2) for grid in zip(*bands, strict=True))
