# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement behind ``eval bit-errors``: every picture scored at every rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from host.evaluate import bit_error_chain as chain_of
from host.evaluate import bit_error_scores as of
from host.images import LoadedImage
from models.roles import StepDone
from models.tiers import Models, TierChoice
from semcom_blocks.errors import ConfigError, require_range

BERS = (0.0, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 2e-1, 3e-1)
MAX_BER = 0.5
BOTH, WORDS = "prompt + edges", "prompt"  # what the receiver draws from
PHOTO_SIDE = 512  # pixels; what the published diffusion models were trained at


def measure(
    scenes: int = 100,
    photos: Sequence[LoadedImage] = (),
    *,
    bers: Sequence[float] = BERS,
    models: Models | None = None,
    side: int = 64,
    photo_side: int = PHOTO_SIDE,
    seed: int = 1,
    told: bool = False,
    steps: int | None = None,
    guidance: float | None = None,
    done: StepDone | None = None,
) -> dict[str, Any]:
    """Draw ``scenes`` held-out scenes and ``photos`` at each error rate, and score them.

    ``bers``: 0 is always among them; ``models``: embedded if None; ``side``, ``photo_side``: of
    scenes, at most of photos, in pixels; ``told``: the edge decoder knows the rate; ``steps``,
    ``guidance``: of the sampler, None for its own; ``done(pictures done, in all)``. The same
    arguments give the same result, JSON-able::

        {"seed", "told", "bers": [...], "judge": name of the one behind likeness and fit,
         "models": {role: name},
         "sets": {"scenes" | "scenes, places open" | "photos":
                  {"pictures", "prompt_bits", "edge_bits", "edge_bpp"}},
         "records": [{"set", "condition": "prompt + edges" | "prompt", "ber": float | None,
                      METRIC: mean, METRIC_ci: [low, high],
                      METRIC_norm: over its mean at BER 0, METRIC_norm_ci: [low, high]}, ...],
         "falls": [{"set", "metric", "falls": bool, None for fewer than 8 pictures,
                    "rises": [{"from_ber", "to_ber", "by", "ci"}]}],
         "tables": {set: {"ber": [... > 0, rising],
                          "quality": {METRIC: [... falling from 1, its value at BER 0]},
                          "prompt_alone": {METRIC: value on the same scale},
                          "edges_pay_until_ber": {METRIC: float | None}}}}

    METRIC: likeness, fit, ms_ssim, edge_ms_ssim, edge_f, attributes, relations, shape, exact
    (the last four for scenes), ``likeness NAME`` of further judges. ``tables`` are what a planner
    takes: :func:`host.evaluate.bit_error_scores.quality_table` makes a ``QualityTable`` of one.
    Raises :class:`ConfigError` for arguments outside their range, :class:`ModelError`.
    """
    rates = check_bers(bers)
    require_range("scenes", scenes, 0, 100_000)
    require_range("seed", seed, 0, 2**31)
    if not scenes and not photos:
        raise ConfigError("0 scenes and 0 photos, permitted: at least one picture")
    chain = chain_of.Chain(models or Models(TierChoice()), seed, told, steps, guidance)
    cases = {
        "scenes": chain_of.scene_cases(chain, scenes, side),
        "scenes, places open": chain_of.scene_cases(chain, scenes, side, places=False),
        "photos": chain_of.photo_cases(chain, photos, photo_side, scenes),
    }
    cases = {name: found for name, found in cases.items() if found}
    total, count = sum(map(len, cases.values())), 0
    result: dict[str, Any] = {
        "seed": seed,
        "told": told,
        "bers": list(rates),
        "judge": chain.models.judges()[0].name,
        "models": chain.names(),
        "sets": {},
        "records": [],
        "falls": [],
        "tables": {},
    }
    for name, found in cases.items():
        rows = []
        for case in found:
            rows.append(scored(chain, case, rates))
            count += 1
            if done is not None:
                done(count, total)
        result["sets"][name] = {
            "pictures": len(found),
            "prompt_bits": round(float(np.mean([8 * len(c.prompt.encode()) for c in found])), 1),
            "edge_bits": round(float(np.mean([len(c.code.bits) for c in found])), 1),
            "edge_bpp": round(sum(len(c.code.bits) for c in found)
                              / sum(c.edges.size for c in found), 5),
        }  # fmt: skip
        for key, part in summarise(name, rows, rates, seed).items():
            if key == "tables":
                result[key][name] = part
            else:
                result[key] += part
    return result


def check_bers(bers: Sequence[float]) -> tuple[float, ...]:
    """Sorted rates with 0 in front; :class:`ConfigError` outside 0…0.5."""
    for ber in bers:
        require_range("ber", ber, 0, MAX_BER)
    rates = tuple(sorted({0.0, *map(float, bers)}))
    if len(rates) < 2:
        raise ConfigError("ber is 0 alone, permitted: with a rate above 0")
    return rates


def scored(
    chain: chain_of.Chain, case: chain_of.Case, bers: Sequence[float]
) -> list[dict[str, float]]:
    """Scores of one picture at each rate, and at the end of the prompt alone."""
    before: dict[bytes, dict[str, float]] = {}
    draws = chain.draws(case)
    found = []
    for ber in bers:
        edges, key = chain.receive(case, ber)
        if key not in before:
            picture = chain.draw(case, edges) if draws else None
            before[key] = chain.score(case, picture, edges)
        found.append(before[key])
    return [*found, chain.score(case, chain.draw(case, None), None) if draws else {}]


def summarise(
    name: str, rows: list[list[dict[str, float]]], bers: tuple[float, ...], seed: int
) -> dict[str, Any]:
    """Records, falls and tables of one set; ``rows``: by picture, as :func:`scored` gives."""
    metrics = list(dict.fromkeys(key for row in rows for scores in row for key in scores))
    records = [{"set": name, "condition": BOTH, "ber": ber} for ber in bers]
    records.append({"set": name, "condition": WORDS, "ber": None})
    above = np.flatnonzero(np.asarray(bers) > 0)
    falls: list[dict[str, Any]] = []
    table: dict[str, Any] = {"ber": [bers[i] for i in above], "quality": {}, "prompt_alone": {},
                             "edges_pay_until_ber": {}}  # fmt: skip
    for metric in metrics:
        values = np.array([[s.get(metric, np.nan) for s in row] for row in rows])
        for record, told in zip(records, of.summary(values, seed), strict=True):
            if not np.isfinite(told["mean"]):
                continue
            for key, label in (("mean", ""), ("ci", "_ci"), ("norm", "_norm"),
                               ("norm_ci", "_norm_ci")):  # fmt: skip
                if key in told:
                    record[metric + label] = rounded(told[key])
        rises = of.rises(values[:, :-1], bers, seed)
        falls.append({
            "set": name,
            "metric": metric,
            "falls": None if rises is None else not rises,
            "rises": [{k: rounded(v) for k, v in rise.items()} for rise in rises or ()],
        })  # fmt: skip
        mean = of.means(values)
        if mean[0] > 0:
            curve = of.falling(mean[:-1])
            curve, alone = curve / curve[0], float(mean[-1] / curve[0])
            table["quality"][metric] = [rounded(float(curve[i])) for i in above]
            if np.isfinite(mean[-1]):
                table["prompt_alone"][metric] = rounded(alone)
                until = of.reaches(np.asarray(bers), curve, alone)
                table["edges_pay_until_ber"][metric] = (
                    None if until is None else float(f"{until:.3g}")
                )
    return {"records": records, "falls": falls, "tables": table}


def rounded(value: Any) -> Any:
    """Figures to six significant digits."""
    if isinstance(value, list):
        return [rounded(x) for x in value]
    return float(f"{value:.6g}")
