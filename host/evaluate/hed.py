# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge network against human boundaries: ``./semcom eval hed --data BSDS500 --json F``.

F-scores on the test photos, found edges thinned: ODS (one threshold for all photos) and OIS (the
best for each). As in the Berkeley benchmark (Martin, Fowlkes, Malik, TPAMI 2004) found and drawn
pixels are matched one to one within 0.0075 of the diagonal; a found pixel is right if any annotator
has it, and recall counts all annotators' pixels. Different here: the matching is the largest one
there is instead of the one of least total distance, thresholds are fewer (the benchmark: 99), and
thinning is non-maximum suppression alone, without the benchmark's morphological thinning after it.
Beside it, for comparison on the same rules: Canny-like gradient magnitude of the smoothed photo.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.boundaries import Annotated, load_boundaries
from host.evaluate.edge_scores import f_score, matched, pairs_within, reach, thinned
from semcom_blocks.errors import require_range

log = logging.getLogger(__name__)

GRADIENT_SIGMA = 2.0  # pixels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval hed``."""
    add = parser.add_argument
    add("--data", required=True, metavar="PATH", help="BSDS500, a folder or a zip")
    add("--json", metavar="FILE", help="write the figures there as well (default: not written)")
    add("--name", default="hed-v1", help="name of the weights (default: %(default)s)")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--photos", type=int, default=200, help="at most so many (default: %(default)s)")
    add("--thresholds", type=int, default=12, help="how many (default: %(default)s)")


def gradient(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Magnitude of the smoothed photo's brightness gradient, its maximum 255."""
    from scipy.ndimage import gaussian_gradient_magnitude

    steep = gaussian_gradient_magnitude(picture.mean(2), GRADIENT_SIGMA)
    return (255 * steep / max(float(steep.max()), 1e-9)).astype(np.uint8)


def counts(
    edges: NDArray[np.uint8], boundaries: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> NDArray[np.int64]:
    """For each threshold: found pixels that are right, found; drawn ones recalled, drawn (T,4)."""
    thin = thinned(edges)
    everything = thin > thresholds[0]
    height = thin[everything]
    distance = reach(edges.shape)
    graphs = [pairs_within(everything, drawn, distance) for drawn in boundaries]
    table = np.zeros((len(thresholds), 4), np.int64)
    for row, threshold in zip(table, thresholds, strict=True):
        kept = np.nonzero(height > threshold)[0]
        right = np.zeros(len(kept), bool)
        for graph in graphs:
            has = matched(graph[kept])
            right |= has
            row[2:] += int(has.sum()), graph.shape[1]
        row[:2] = int(right.sum()), len(kept)
    return table


def scores(tables: NDArray[np.int64]) -> dict[str, float]:
    """ODS and OIS of :func:`counts` of all photos, (N,T,4)."""

    def f_of(rows: NDArray[np.int64]) -> float:
        right, found, recalled, drawn = (max(float(x), 0.0) for x in rows)
        return f_score(right / max(found, 1), recalled / max(drawn, 1))

    pooled = tables.sum(0)
    over_all = [f_of(row) for row in pooled]
    best = int(np.argmax(over_all))
    own = [int(np.argmax([f_of(row) for row in photo])) for photo in tables]
    chosen = sum(photo[i] for photo, i in zip(tables, own, strict=True))
    right, found, recalled, drawn = pooled[best]
    return {
        "ods_f": round(over_all[best], 4),
        "ois_f": round(f_of(chosen), 4),
        "ods_precision": round(float(right / max(found, 1)), 4),
        "ods_recall": round(float(recalled / max(drawn, 1)), 4),
        "ods_index": best,
    }


def measure(
    items: Iterable[Annotated],
    extractor: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    thresholds: NDArray[np.float64],
) -> dict[str, float]:
    """Scores of an extractor (picture to map) over annotated photos."""
    tables = [counts(extractor(item.picture), item.boundaries, thresholds) for item in items]
    found = scores(np.stack(tables))
    return {**found, "ods_threshold": round(float(thresholds[found.pop("ods_index")]), 3)}


def run(args: argparse.Namespace) -> int:
    """Measure, print and store; returns the exit code. Raises ConfigError, ModelError."""
    from models.edges.hed import HedExtractor
    from models.weights_io import WEIGHTS_DIR, write_atomic

    require_range("photos", args.photos, 1, 10**6)
    require_range("thresholds", args.thresholds, 2, 99)
    extractor = HedExtractor.load(args.name, Path(args.weights) if args.weights else WEIGHTS_DIR)
    items = load_boundaries(args.data, ("test",), args.photos)
    thresholds = np.linspace(0, 0.96, args.thresholds + 1)[1:]
    shown = Console(stderr=True)
    document = {
        "photos": len(items),
        "thresholds": [round(float(t), 3) for t in thresholds],
        "matching": "one to one, largest matching within 0.0075 of the diagonal",
        args.name: measure(track(items, args.name, console=shown), extractor.edges, thresholds),
        "gradient magnitude": measure(
            track(items, "gradient", console=shown), gradient, thresholds**2
        ),
    }
    table = Table(title=f"edges against people's, {len(items)} test photos")
    for column in ("", "ODS F", "OIS F", "precision", "recall"):
        table.add_column(column, justify="right")
    for name in (args.name, "gradient magnitude"):
        row = document[name]
        keys = ("ods_f", "ois_f", "ods_precision", "ods_recall")
        table.add_row(name, *(f"{row[key]:.3f}" for key in keys))
    Console().print(table)
    if args.json:
        write_atomic(Path(args.json), (json.dumps(document, indent=1) + "\n").encode())
    return 0
