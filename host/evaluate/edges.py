# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge stream over bit errors: ``./semcom eval edges --data BSDS500 --json F --plot F``.

Edge maps of the edge network, of held-out scenes (64 and 128 pixels) and of test photos, through
the codec and a binary symmetric channel. For each variant and error rate: bits a pixel, F of lines
within a distance (:func:`host.evaluate.edge_scores.near_f`; 0.0075 of the diagonal, at least a
pixel) and MS-SSIM of the maps, both against the map before coding. Variants:

* ``fixed``: bits of fixed number, told the error rate (what ships); ``fixed, not told``: the
  synthesis believes all bits; ``fixed, 5 planes``: the same network at a lower rate;
* ``segments``: entropy-coded by tiles with a CRC each; ``one stream``: entropy-coded whole, as
  plain nonlinear transform coding.

At each error rate the same uniform draws decide which bits are wrong, so the wrong bits of a lower
rate are a part of a higher rate's: differences between rates are not chance of the draw.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.boundaries import load_boundaries
from host.evaluate.edge_scores import near_f, reach
from host.evaluate.output import add_files, prepare, write_json
from host.metrics import ms_ssim
from semcom_blocks.errors import require_range

BERS = (0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
SCENE_SEED = 20_260_722  # no training draws from it
Record = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval edges``."""
    add_files(parser, "figures", "maps at some error rates")
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help="BSDS500, a folder or a zip")
    add("--scenes", type=int, default=200, help="of each size (default: %(default)s)")
    add("--photos", type=int, default=24, help="at most so many (default: %(default)s)")
    add("--repeats", type=int, default=2, help="draws of the channel a map (default: %(default)s)")
    add("--seed", type=int, default=1, help="of the channel (default: %(default)s)")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")


def variants(directory: Path) -> dict[str, tuple[Any, bool]]:
    """Codecs by name, and whether the decoder is told the error rate."""
    from models.edges.codec import EdgeBitCodec, load_networks
    from models.edges.entropy_codec import EdgeEntropyCodec

    networks = load_networks(directory=directory)
    return {
        "fixed": (EdgeBitCodec(networks), True),
        "fixed, not told": (EdgeBitCodec(networks), False),
        "fixed, 5 planes": (EdgeBitCodec(networks, planes=5), True),
        "segments": (EdgeEntropyCodec(networks, tile=4), False),
        "one stream": (EdgeEntropyCodec(networks, tile=None), False),
    }


def sources(args: argparse.Namespace, directory: Path) -> dict[str, list[NDArray[np.uint8]]]:
    """Edge maps by the name of their kind."""
    import torch

    from models.edges.hed import HedExtractor
    from models.scenes.render import render, to_uint8
    from models.scenes.sample import sample

    extractor = HedExtractor.load(directory=directory)
    found = {}
    for side in (64, 128):
        scenes = sample(args.scenes, torch.Generator().manual_seed(SCENE_SEED))
        found[f"scenes {side}"] = [
            extractor.edges(p) for p in to_uint8(render(scenes, side)).numpy()
        ]
    photos = load_boundaries(args.data, ("test",), args.photos)
    found["photos"] = [extractor.edges(item.picture) for item in photos]
    return found


def noisy(code: Any, ber: float, draws: NDArray[np.float64]) -> Any:
    """The code with those bits wrong whose draw is under ``ber``."""
    from dataclasses import replace

    wrong = (draws[: len(code.bits)] < ber).astype(np.uint8)
    return replace(code, bits=code.bits ^ wrong)


def similarity(reference: NDArray[np.uint8], edges: NDArray[np.uint8]) -> float:
    """MS-SSIM of two maps, with the scales that fit; 0 where none does."""
    value, _ = ms_ssim(*(np.repeat(x[..., None], 3, 2) for x in (reference, edges)))
    return 0.0 if value is None else value


def measure(
    maps: list[NDArray[np.uint8]], codec: Any, told: bool, repeats: int, seed: int
) -> list[Record]:
    """One row an error rate: bits a pixel, F and MS-SSIM, means over maps and draws."""
    rows: dict[float, list[tuple[float, float]]] = {ber: [] for ber in BERS}
    bits = pixels = 0
    for number, edges in enumerate(maps):
        code = codec.encode(edges)
        bits, pixels = bits + len(code.bits), pixels + edges.size
        distance = reach(edges.shape)
        for repeat in range(repeats):
            draws = np.random.default_rng([seed, number, repeat]).random(len(code.bits))
            before: dict[bytes, tuple[float, float]] = {}
            for ber in BERS:
                sent = noisy(code, ber, draws)
                key = sent.bits.tobytes() + repr(ber if told else 0).encode()
                if key not in before:
                    got = codec.decode(sent, ber if told else 0.0)
                    before[key] = near_f(edges, got, distance), similarity(edges, got)
                rows[ber].append(before[key])
            if code.bits.size == 0:
                break
    found = []
    for ber, pairs in rows.items():
        f, similar = (float(np.mean(column)) for column in zip(*pairs, strict=True))
        row = {"ber": ber, "bpp": bits / pixels, "f": f, "ms_ssim": similar}
        found.append({key: round(value, 5) for key, value in row.items()})
    return found


def monotone(rows: list[Record], key: str, slack: float = 0.002) -> bool:
    """Whether quality never rises by more than ``slack`` as the error rate does."""
    values = [row[key] for row in sorted(rows, key=lambda row: row["ber"])]
    return all(b <= a + slack for a, b in pairwise(values))


def table(kind: str, records: list[Record]) -> Table:
    """F over the error rates, a row a variant."""
    found = Table(title=f"{kind}: F of lines within a distance, over bit error rates")
    found.add_column("variant")
    for column in ("bpp", *(f"{ber:g}" for ber in BERS), "falls"):
        found.add_column(column, justify="right")
    for name in dict.fromkeys(r["variant"] for r in records):
        rows = [r for r in records if r["variant"] == name]
        falls = "yes" if monotone(rows, "f") and monotone(rows, "ms_ssim") else "no"
        values = (f"{row['f']:.2f}" for row in rows)
        found.add_row(name, f"{rows[0]['bpp']:.4f}", *values, falls)
    return found


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    from models.weights_io import WEIGHTS_DIR, write_atomic

    require_range("scenes", args.scenes, 1, 10**6)
    require_range("photos", args.photos, 1, 10**6)
    require_range("repeats", args.repeats, 1, 1000)
    prepare(args)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    maps = sources(args, directory)
    codecs = variants(directory)
    shown = Console(stderr=True)
    records = []
    jobs = [(kind, name) for kind in maps for name in codecs]
    for kind, name in track(jobs, "edges", console=shown):
        rows = measure(maps[kind], *codecs[name], args.repeats, args.seed)
        records += [{"maps": kind, "variant": name, **row} for row in rows]
    for kind in maps:
        Console().print(table(kind, [r for r in records if r["maps"] == kind]))
    if args.json:
        document = {
            "seed": args.seed,
            "maps": {kind: len(found) for kind, found in maps.items()},
            "repeats": args.repeats,
            "records": records,
        }
        write_json(args.json, document)
    if args.plot:
        from host.evaluate.edge_plots import curves

        write_atomic(Path(args.plot), curves(records))
    if args.pictures:
        from host.evaluate.edge_plots import strip

        chosen = [*maps["scenes 64"][:3], *maps["scenes 128"][3:5], *maps["photos"][:3]]
        write_atomic(Path(args.pictures), strip(chosen, codecs["fixed"][0], args.seed))
    return 0
