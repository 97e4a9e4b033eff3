# SPDX-License-Identifier: GPL-3.0-or-later
"""Block error rates of 5G LDPC and QAM: ``./semcom eval digital-bler --json F``.

For every modulation and code rate of the sweep and four lengths of a code word: random words
through QAM and white noise (SNR is Es/N0 per complex symbol), decoded by belief propagation. The
waterfall is found first; then ``--words`` words go through each of four SNRs along it, and
a Gaussian tail is fitted. A file that exists is gone on with: what it holds is not measured again.

``checks`` are words through multipath fading, one realisation a word, beside what the table and
the mutual-information mapping predict: what the mapping is worth.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from semcom_blocks.errors import ConfigError, require_range
from semcom_blocks.phy.interleave import permutation

log = logging.getLogger(__name__)

LONG_SHARE = 0.5  # of the words a point for the longest: theirs is the steepest waterfall
CHECKED = ("QPSK 1/2", "16-QAM 1/2", "64-QAM 3/4", "256-QAM 5/6")
CHECK_SYMBOLS = 512
CHECK_ABOVE_DB = (4.0, 9.0)  # SNR over the threshold in white noise
CHECK_SHARE = 4  # times as many words as a point of a waterfall


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval digital-bler``."""
    add = parser.add_argument
    add("--json", required=True, metavar="FILE", help="the table; gone on with where it exists")
    add("--words", type=int, default=200, help="code words a point (default: %(default)s)")
    add("--seed", type=int, default=1, help="of bits and noise (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Measure what is missing, print and store; returns the exit code. Raises ConfigError."""
    # Here, not above: the command line asks for the options without paying for torch.
    from importlib.metadata import PackageNotFoundError, version

    import torch

    from host.baseline import bler, ldpc
    from host.baseline.mcs import SWEEP
    from host.baseline.simulate import measure
    from models.weights_io import write_atomic

    require_range("words", args.words, 10, 100_000)
    require_range("seed", args.seed, 0, 2**63 - 1)
    require_range("threads", args.threads, 0, 1024)
    path = Path(args.json)
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"json is {args.json!r}, permitted: a file in an existing folder")
    try:
        sionna = version("sionna-no-rt")
    except PackageNotFoundError:
        raise ConfigError(ldpc.MISSING) from None
    if args.threads:
        torch.set_num_threads(args.threads)
    result: dict[str, Any] = {
        "command": bler.COMMAND,
        "what": "5G NR LDPC (3GPP TS 38.212), bit interleaver, Gray QAM, max-log LLRs, "
        f"belief propagation with at most {ldpc.ITERATIONS} iterations, white noise",
        "snr": "Es/N0 per complex symbol",
        "seed": args.seed,
        "words": args.words,
        "versions": {"sionna-no-rt": sionna, "torch": torch.__version__},
        "curves": [],
        "checks": [],
    }
    result = _resumed(path, result)

    def store() -> None:
        write_atomic(path, _dump(result).encode())

    done = {(row["mcs"], row["symbols"]) for row in result["curves"]}
    missing = [
        (mcs, symbols)
        for mcs in SWEEP
        for symbols in bler.lengths(mcs)
        if (mcs.name, symbols) not in done
    ]
    console = Console(stderr=True)
    for mcs, symbols in track(missing, "waterfalls", console=console):
        long = symbols not in bler.LENGTHS
        words = max(10, round(args.words * LONG_SHARE)) if long else args.words
        result["curves"].extend(measure([(ldpc.CodeWord(mcs, symbols), words)], args.seed))
        store()
    if not result["checks"]:
        table = bler.BlerTable(result["curves"])
        points = [(name, above) for name in CHECKED for above in CHECK_ABOVE_DB]
        for name, above in track(points, "multipath", console=console):
            result["checks"].append(check(table, name, above, CHECK_SHARE * args.words, args.seed))
        store()
    show(Console(), result)
    return 0


def check(table: Any, name: str, above_db: float, words: int, seed: int) -> dict[str, Any]:
    """``words`` words, each through a multipath realisation of its own, and the prediction."""
    from host.baseline.effective import effective_snr_db, powers_of
    from host.baseline.ldpc import CodeWord
    from host.baseline.mcs import Mcs
    from host.baseline.simulate import Counts

    mcs = Mcs.parse(name)
    curve = table.curve(mcs, CHECK_SYMBOLS)
    snr_db = round(curve.threshold_db + above_db, 2)
    powers = powers_of("multipath", words, seed)
    predicted = curve.bler(effective_snr_db(snr_db, powers, mcs.bits_per_symbol)).mean()
    counts = Counts(CodeWord(mcs, CHECK_SYMBOLS), np.random.default_rng([seed, int(above_db)]))
    carriers = permutation(CHECK_SYMBOLS) % powers.shape[1]  # interleaved as a frame's are
    counts.add(snr_db, words, np.sqrt(powers[:, carriers]))
    found = counts.table()
    return {
        "mcs": name, "symbols": CHECK_SYMBOLS, "channel": "multipath", "snr_db": snr_db,
        "words": found["words"][0], "errors": found["errors"][0],
        "bler": round(found["errors"][0] / words, 4), "predicted": round(float(predicted), 4),
    }  # fmt: skip


def _resumed(path: Path, fresh: dict[str, Any]) -> dict[str, Any]:
    """What ``path`` holds of the same measurement, else ``fresh``."""
    if not path.exists():
        return fresh
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        same = all(found[key] == fresh[key] for key in ("what", "seed", "words"))
        if same and isinstance(found["curves"], list) and isinstance(found["checks"], list):
            return {**fresh, "curves": found["curves"], "checks": found["checks"]}
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    raise ConfigError(
        f"json is {str(path)!r}, which is another measurement, "
        "permitted: a new file, or one of the same seed and words"
    )


def _dump(result: dict[str, Any]) -> str:
    """JSON with one row a line."""
    head = json.dumps({k: v for k, v in result.items() if k not in ("curves", "checks")}, indent=1)
    parts = [
        f' "{key}": [\n' + ",\n".join("  " + json.dumps(row) for row in result[key]) + "\n ]"
        for key in ("curves", "checks")
    ]
    return head.removesuffix("\n}") + ",\n" + ",\n".join(parts) + "\n}\n"


def show(console: Console, result: dict[str, Any]) -> None:
    """Two tables: SNR at which a tenth of the words is lost, and the checks."""
    from rich.table import Table

    from host.baseline.bler import Curve

    curves = result["curves"]
    table = Table(title="SNR in dB at BLER 0.1, by symbols of a code word")
    columns = sorted({row["symbols"] for row in curves})
    for name in ("mcs", *map(str, columns)):
        table.add_column(name, justify="right")
    for name in dict.fromkeys(row["mcs"] for row in curves):
        at = {
            row["symbols"]: row["threshold_db"] + 1.2816 * row["spread_db"]
            for row in curves
            if row["mcs"] == name
        }
        table.add_row(name, *(f"{at[s]:.2f}" if s in at else "" for s in columns))
    console.print(table)
    table = Table("mcs", "SNR", "words", "BLER", "predicted", title="Multipath, one block a word")
    for row in result["checks"]:
        keys = ("mcs", "snr_db", "words", "bler", "predicted")
        table.add_row(*(str(row[key]) for key in keys))
    console.print(table)
    worst = max(abs(np.mean(_deviations(Curve, row))) for row in curves)
    console.print(f"largest mean deviation of a fit from its counts: {worst:.3f}")


def _deviations(curve_of: Any, row: dict[str, Any]) -> np.ndarray:
    curve = curve_of(row["symbols"], row["threshold_db"], row["spread_db"])
    return curve.bler(row["snr_db"]) - np.array(row["errors"]) / np.array(row["words"])
