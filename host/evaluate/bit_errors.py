# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality over the edge stream's bit errors: ``./semcom eval bit-errors --json F --plot F``.

The whole semantic chain (Qiao et al., Fig. 2 and 3): a scene or photo becomes a prompt and edge
bits, the bits meet independent errors, and the receiver draws from the prompt and what it decodes.

* ``likeness``: (cosine + 1)/2 of the embeddings of the picture sent and the one drawn, by the first
  judge (the paper's CLIP metric, under the judge's name); ``fit``: of the picture drawn and the
  prompt, where the judge reads text; further judges by their names;
* ``ms_ssim``: of the two pictures; ``edge_ms_ssim``, ``edge_f``: of the edge map before coding and
  as decoded;
* ``attributes``, ``relations``, ``shape``, ``exact``: counted against the scene sent.

Scenes are sent twice: with the captioner's words, which say all, and with words that leave the
places open (a person's caption, as the paper's), where only the edge map tells them.

Each also over its value without errors (normalised, as the paper draws them). ``falls`` says
where a mean rises with the error rate by more than chance. Beside it the prompt alone.
Photos are drawn by an ``hf:`` generator; with the embedded one only their edge maps are scored.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from host.images import LoadedImage
from models.roles import StepDone
from models.tiers import Models, TierChoice
from semcom_blocks.errors import ConfigError, require_range

log = logging.getLogger(__name__)

BERS = (0.0, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 2e-1, 3e-1)
MAX_BER = 0.5
BOTH, WORDS = "prompt + edges", "prompt"  # what the receiver draws from
PHOTO_SIDE = 512  # pixels; what the published diffusion models were trained at
SHOWN_COLUMNS = ("likeness", "fit", "ms_ssim", "edge_ms_ssim", "attributes", "relations", "shape")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval bit-errors``."""
    add = parser.add_argument
    add("--json", metavar="FILE", help="write the figures there as well (default: not written)")
    add("--plot", metavar="FILE", help="draw the curves as PNG there (default: not drawn)")
    add("--pictures", metavar="FILE", help="draw pictures at some error rates as PNG there")
    add("--scenes", type=int, default=100, help="held-out scenes (default: %(default)s)")
    add("--side", type=int, choices=(64, 128), default=64, help="of scenes in pixels")
    add(
        "--photos",
        nargs="+",
        default=(),
        metavar="SOURCE",
        help="files, names of scikit-image's photos, or folders and zips (their test split)",
    )
    add("--most", type=int, default=8, help="photos of a folder (default: %(default)s)")
    add("--ber", type=float, nargs="+", default=BERS, metavar="RATE", help="bit error rates")
    add("--told", action="store_true", help="the edge decoder knows the rate")
    add("--seed", type=int, default=1, help="of errors and noise (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all")
    for role in ("generator", "captioner", "edges"):
        add(f"--{role}", default="embedded", metavar="MODEL", help="embedded or hf:ID-or-FOLDER")
    add("--control", metavar="MODEL", help="ControlNet of an hf: generator")
    add("--judges", nargs="+", default=("embedded",), metavar="MODEL", help="the first is the main")


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
    done: StepDone | None = None,
) -> dict[str, Any]:
    """Draw ``scenes`` held-out scenes and ``photos`` at each error rate, and score them.

    ``bers`` rising from 0; ``models``: embedded if None; ``done(pictures done, in all)``.
    Same arguments, same result. JSON-able::

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
                          "quality": {METRIC: [... normalised, falling]},
                          "prompt_alone": {METRIC: value on the same scale},
                          "edges_pay_until_ber": {METRIC: float | None}}}}

    METRIC: likeness, fit, ms_ssim, edge_ms_ssim, edge_f, attributes, relations, shape, exact
    (the last four for scenes), ``likeness NAME`` of further judges. ``tables`` are what a planner
    takes: :func:`host.evaluate.bit_error_scores.quality_table` makes a ``QualityTable`` of one.
    Raises :class:`ConfigError` for arguments outside their range, :class:`ModelError`.
    """
    from host.evaluate import bit_error_chain as chain_of

    rates = check_bers(bers)
    require_range("scenes", scenes, 0, 100_000)
    require_range("seed", seed, 0, 2**31)
    if not scenes and not photos:
        raise ConfigError("0 scenes and 0 photos, permitted: at least one picture")
    chain = chain_of.Chain(models or Models(TierChoice()), seed, told)
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


def scored(chain: Any, case: Any, bers: Sequence[float]) -> list[dict[str, float]]:
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
    from host.evaluate import bit_error_scores as of

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
            curve = of.falling(mean[:-1]) / mean[0]
            table["quality"][metric] = [rounded(float(curve[i])) for i in above]
            if np.isfinite(mean[-1]):
                alone = float(mean[-1] / mean[0])
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


def show(result: dict[str, Any]) -> None:
    """Print a table for each set."""
    for name in result["sets"]:
        records = [r for r in result["records"] if r["set"] == name]
        columns = [key for key in SHOWN_COLUMNS if any(key in r for r in records)]
        table = Table(title=f"{name}, judge {result['judge']}: means over bit error rates")
        for column in ("BER", *(c.replace("_", " ") for c in columns)):
            table.add_column(column, justify="right")
        for record in records:
            ber = "prompt alone" if record["ber"] is None else f"{record['ber']:g}"
            shown = (f"{record[c]:.4f}" if c in record else "-" for c in columns)
            table.add_row(ber, *shown)
        Console().print(table)
    for entry in result["falls"]:
        for rise in entry["rises"]:
            line = "{set}, {metric}: not falling".format(**entry)
            Console().print(line + " from BER {from_ber:g} to {to_ber:g}, by {by:g}".format(**rise))


def read_photos(sources: Sequence[str], most: int) -> list[LoadedImage]:
    """Photos by file or name, and ``most`` of each folder or zip."""
    from host.datasets import load_pictures
    from host.images import load_image

    found: list[LoadedImage] = []
    for source in sources:
        path = Path(source)
        if path.is_dir() or path.suffix.lower() == ".zip":
            pictures = load_pictures(path, "test", most).pictures
            found += [LoadedImage(p, f"{path.stem} {i}") for i, p in enumerate(pictures)]
        else:
            found.append(load_image(source))
    return found


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from models.weights_io import write_atomic

    require_range("threads", args.threads, 0, 1024)
    require_range("most", args.most, 1, 100_000)
    for name in ("json", "plot", "pictures"):
        path = getattr(args, name)
        if path and not Path(path).absolute().parent.is_dir():
            raise ConfigError(f"{name} is {path!r}, permitted: a file in an existing folder")
    if args.threads:
        torch.set_num_threads(args.threads)
    roles = ("generator", "captioner", "edges", "control", "judges")
    models = Models(TierChoice.from_dict({role: getattr(args, role) for role in roles}))
    photos = read_photos(args.photos, args.most)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("pictures", total=None)
        result = measure(
            args.scenes, photos, bers=args.ber, models=models, side=args.side, seed=args.seed,
            told=args.told,
            done=lambda n, total: progress.update(task, completed=n, total=total),
        )  # fmt: skip
    show(result)
    if args.json:
        write_atomic(Path(args.json), (json.dumps(result, indent=1) + "\n").encode())
    if args.plot or args.pictures:
        from host.evaluate import bit_error_plots

        if args.plot:
            write_atomic(Path(args.plot), bit_error_plots.curves(result))
        if args.pictures:
            page = bit_error_plots.pictures(models, photos, args.seed, args.side, args.scenes)
            write_atomic(Path(args.pictures), page)
    return 0
