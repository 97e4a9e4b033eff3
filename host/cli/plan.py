# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan power, modulation and retransmission of a prompt and its conditioning streams.

Bits, bands and the constants of the prompt's code default to Table I of Qiao et al. (2024).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host.cli.parser import positive
from semcom_blocks.errors import ConfigError

if TYPE_CHECKING:
    from host.allocation.quality import QualityTable

LAWS = ("paper", "rayleigh", "known")
POINTS_MAX = 100_000
SHOWN_MAX = 40  # rows of the table; --json has all


def _numbers(text: str) -> list[float]:
    """``5``, ``5,10,15`` or ``0:30:2.5`` (both ends)."""
    try:
        if ":" in text:
            start, stop, step = (float(part) for part in text.split(":"))
            count = int((stop - start) / step + 1e-9) + 1
            if not 0 < count <= POINTS_MAX:
                raise ValueError
            return [start + i * step for i in range(count)]
        return [float(part) for part in text.split(",")]
    except (ValueError, ZeroDivisionError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!a} are no numbers, permitted: 5 or 5,10,15 or 0:30:2.5, up to {POINTS_MAX}"
        ) from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--snr-db",
        type=_numbers,
        required=True,
        metavar="DB[,DB…|:DB:STEP]",
        help="average SNR: all power over both bands, P·E|h|²/((B0+B1)·N0)",
    )
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument(
        "--target-quality",
        type=_numbers,
        default=None,
        metavar="CLIP,MS-SSIM",
        help="normalised quality that the conditioning stream must keep (default: 0.997,0.982)",
    )
    goal.add_argument(
        "--ber",
        type=_numbers,
        default=None,
        metavar="BER[,BER…]",
        help="bit error rate allowed to each conditioning stream, instead of a quality",
    )
    parser.add_argument(
        "--prompt-bits", type=positive(1, 1e9), default=None, metavar="BITS", help="default: 1110"
    )
    parser.add_argument(
        "--stream-bits",
        type=_numbers,
        default=None,
        metavar="BITS[,BITS…]",
        help="of each conditioning stream, the least important last (default: 7860)",
    )
    parser.add_argument(
        "--curves",
        type=Path,
        default=None,
        metavar="FILE.json",
        help="quality over bit errors by which --target-quality is judged, as eval bit-errors or "
        "experiment latency-aware --only fig-two wrote it (default: the paper's)",
    )
    parser.add_argument(
        "--packet-errors",
        choices=LAWS,
        default="paper",
        metavar="{" + ",".join(LAWS) + "}",
        help="law of the prompt's packet errors: (2) with the paper's constants, (2) fitted to "
        "this testbed in block Rayleigh, or for an SNR that is known (default: paper)",
    )
    parser.add_argument(
        "--orders",
        type=_numbers,
        default=[4.0, 16.0, 64.0],
        metavar="M[,M…]",
        help="modulation orders to choose from (default: 4,16,64; permitted: 2, 4, 16, 64, 256)",
    )
    parser.add_argument(
        "--json", type=Path, default=None, metavar="FILE", help="write the whole plan here"
    )


def run(args: argparse.Namespace) -> int:
    """Print the plan; 0."""
    from host.allocation import packet_errors
    from host.allocation.paper import BANDWIDTH_HZ, EDGE_BITS, PROMPT_BITS, snr_full_of
    from host.allocation.plan import plan
    from host.allocation.streams import ConditionStream, PromptStream
    from host.report.files import write_file

    bits = args.stream_bits or [EDGE_BITS]
    names = ["edges"] if len(bits) == 1 else [f"stream {i + 1}" for i in range(len(bits))]
    streams = [
        ConditionStream(b, BANDWIDTH_HZ, name=name) for b, name in zip(bits, names, strict=True)
    ]
    law = packet_errors.LAWS[args.packet_errors]
    prompt = PromptStream(args.prompt_bits or PROMPT_BITS, BANDWIDTH_HZ, errors=law)
    allowed = _allowed(args, len(streams))
    orders = [int(order) if order == int(order) else order for order in args.orders]
    rows = plan(prompt, streams, allowed, snr_full_of(args.snr_db), orders)
    for row, snr_db in zip(rows, args.snr_db, strict=True):
        row["average_snr_db"] = snr_db
    if args.json is not None:
        text = json.dumps(rows, indent=1, allow_nan=False) + "\n"
        write_file(args.json, text.encode("ascii"))
    show(rows)
    return 0


def _allowed(args: argparse.Namespace, count: int) -> list[float]:
    """The bit error rate of each stream."""
    from host.allocation.paper import paper_metrics
    from host.allocation.quality import ber_limit

    if args.ber is not None:
        if len(args.ber) not in (1, count):
            raise ConfigError(f"{len(args.ber)} BERs for {count} streams, permitted: 1 or {count}")
        return list(args.ber) * (count // len(args.ber))
    metrics = paper_metrics() if args.curves is None else _measured(args.curves)
    targets = args.target_quality or [0.997, 0.982]
    if len(targets) != len(metrics):
        raise ConfigError(f"{len(targets)} qualities, permitted: 2, CLIP and MS-SSIM")
    return [ber_limit(metrics, targets)] * count


def _measured(path: Path) -> tuple[QualityTable, ...]:
    """Likeness and MS-SSIM of a measurement."""
    from host.experiment.quality_figures import tables_of

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return tuple(tables_of(found.get("measured", found)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"file {str(path)!a} holds no curves, permitted: what eval bit-errors --json wrote"
        ) from None


def show(rows: list[dict[str, Any]]) -> None:
    """The plan as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("SNR dB", "prompt %", "stream %", "M", "Mbit/s", "sends", "latency ms", "slowest"):
        table.add_column(name, justify="right")
    for row in rows[:SHOWN_MAX]:
        streams, latency_s = row["conditions"], row["latency_s"]
        sends = row["prompt"]["expected_sends"]
        table.add_row(
            f"{row['average_snr_db']:.2f}",
            f"{100 * row['prompt']['share']:.1f}",
            ", ".join(f"{100 * s['share']:.1f}" for s in streams),
            ", ".join(str(s["order"]) for s in streams),
            ", ".join(f"{s['rate_bps'] / 1e6:g}" for s in streams),
            "never" if sends is None else f"{sends:.3f}",
            "never" if latency_s is None else f"{1e3 * latency_s:.3f}",
            row["bottleneck"],
        )
    console = Console()
    console.print(table)
    if len(rows) > SHOWN_MAX:
        console.print(f"… {len(rows) - SHOWN_MAX} more, see --json")
