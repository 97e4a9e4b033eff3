# SPDX-License-Identifier: GPL-3.0-or-later
"""The adaptive link against fixed modulation and the semantic-unaware single stream (Q6).

At equal quality: the conditioning stream may have as many wrong bits as leave it the paper's
targets of quality, by the measured curves of Fig. 2, first of all the strictest target; the single
stream knows of no meaning, so all its bits have the prompt's BER of 1e-7, all carriers and all
power.  Jobs have the paper's bits, the codes are this testbed's.  Two views:

* ``model``: the paper's, (2) to (5) at the mean SNR, with the constants fitted to this testbed;
* ``blocks``: jobs sent one by one over block Rayleigh fading, modulations that exist.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from host.allocation.packet_errors import RAYLEIGH
from host.allocation.paper import (
    EDGE_BITS,
    EDGES,
    PROMPT,
    PROMPT_BITS,
    single_stream_delay_s,
    snr_full_of,
)
from host.allocation.quality import QualityTable, ber_limit
from host.allocation.solver import solve
from host.bench.link.intervals import mean as mean_of
from host.experiment import blocks
from host.experiment.quality_figures import METRICS, SET, TARGETS, tables_of
from host.experiment.settings import Document, Settings
from semcom_blocks.errors import ConfigError
from semcom_blocks.link.packets import OVERHEAD_BYTES

CROSSING_DB = 12.0  # below it the proposed scheme must not be slower
MEAN_DB = tuple(np.arange(0.0, 24.1, 2.0))
QUICK_DB = (0.0, 6.0, 12.0)
JOBS, QUICK_JOBS = 4000, 300
#: BERs beside the tolerated one, to show on what the comparison hangs.
LIMITS = (1e-6, 1e-4, 1e-3)
FIXED_ORDER = 4
BER_MOST = 0.1  # the controller's bounds hold up to a little more
PACKET_BYTES = int(PROMPT_BITS // 8) + 1 + OVERHEAD_BYTES


def document(settings: Settings) -> Document:
    """Latency and quality of every scheme over mean SNR."""
    measured = _measured(settings)
    tables = tables_of(measured)
    targets = [
        {"target": list(target), "ber": min(ber_limit(tables, target), BER_MOST)}
        for target in TARGETS
    ]
    tolerated = targets[0]["ber"]
    limits = tuple(sorted({*LIMITS, *(one["ber"] for one in targets)}))
    mean_db = QUICK_DB if settings.quick else MEAN_DB
    points = [(limit, db) for limit in limits for db in mean_db]
    runs = []
    link = blocks.Link.default()
    rng = np.random.default_rng([settings.seed, 13])
    jobs = QUICK_JOBS if settings.quick else JOBS
    adaptive: dict[float, blocks.Scheme] = {}
    for i, (limit, db) in enumerate(points):
        job = blocks.Job(PACKET_BYTES, int(EDGE_BITS), limit)
        scheme = adaptive.setdefault(limit, blocks.adaptive(link, job))
        row: dict[str, Any] = {"mean_snr_db": db, "ber_limit": limit}
        row["adaptive"] = _told(blocks.send(scheme, job, db, jobs, rng), tables, measured)
        for name, whole in (("single", False), ("single, whole bits", True)):
            seconds = blocks.send_single(link, job, db, jobs, rng, whole=whole)
            row[name] = _latency(seconds) | {metric: 1.0 for metric in METRICS}
        if limit == tolerated:
            refusing = blocks.send(scheme, job, db, jobs, rng, may_refuse=True)
            row["adaptive, may refuse"] = _told(refusing, tables, measured)
            mean = blocks.adaptive_mean(link, job, db)
            told = blocks.send(mean, job, db, jobs, rng, may_refuse=True)
            row["adaptive, mean known"] = _told(told, tables, measured)
            fixed = blocks.send(blocks.fixed(link, job, FIXED_ORDER), job, db, jobs, rng)
            row["fixed QPSK"] = _told(fixed, tables, measured)
        runs.append(row)
        settings.tell((i + 1) / len(points))
    model = _model(limits)
    for one in targets:
        ber = one["ber"]
        one["blocks_slower_at_db"] = {
            name: _slower([row for row in runs if row["ber_limit"] == ber], name)
            for name in ("single", "single, whole bits")
        }
        curve = next(curve for curve in model["curves"] if curve["ber"] == ber)
        one["model_slower_at_db"] = curve["slower_below_12_db"]
    return {
        "job": {"packet_bytes": PACKET_BYTES, "edge_bits": EDGE_BITS},
        "block_ms": 1e3 * blocks.BLOCK_S,
        "jobs_a_point": jobs,
        "targets": targets,
        "tolerated_ber": tolerated,
        "limits": list(limits),
        "model": model,
        "blocks": runs,
        "met": not any(
            one["model_slower_at_db"] or one["blocks_slower_at_db"]["single"] for one in targets
        ),
    }


def _slower(rows: list[dict[str, Any]], other: str) -> list[float]:
    """Mean SNRs below the crossing at which the adaptive scheme takes longer than ``other``."""
    return [
        row["mean_snr_db"]
        for row in rows
        if row["mean_snr_db"] < CROSSING_DB and row["adaptive"]["mean_ms"] > row[other]["mean_ms"]
    ]


def _measured(settings: Settings) -> Document:
    """Fig. 2 as this command measured it before."""
    path = settings.out / "latency-aware-fig-two.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["measured"]
    except (OSError, ValueError, KeyError):
        raise ConfigError(
            f"{str(path)!a} is not there, permitted: after --only fig-two into the same --out"
        ) from None


def _model(limits: tuple[float, ...]) -> dict[str, Any]:
    """The paper's model at the mean SNR, with the fitted law of packets."""
    snr_db = np.arange(0.0, 24.01, 0.5)
    prompt = dataclasses.replace(PROMPT, errors=RAYLEIGH)
    single_s = single_stream_delay_s(snr_db)
    curves = []
    for limit in limits:
        delay_s = solve(prompt, [EDGES], [limit], snr_full_of(snr_db)).delay_s
        below = snr_db[(delay_s > single_s) & (snr_db < CROSSING_DB)]
        curves.append({"ber": limit, "latency_ms": (1e3 * delay_s).tolist(),
                       "slower_below_12_db": below.tolist()})  # fmt: skip
    return {
        "snr_db": snr_db.tolist(),
        "single_ms": (1e3 * single_s).tolist(),
        "curves": curves,
    }


def _latency(seconds: np.ndarray) -> dict[str, Any]:
    return {
        **mean_of(1e3 * seconds).keys("mean_ms"),
        "median_ms": float(np.median(1e3 * seconds)),
        "most_ms": float(np.quantile(1e3 * seconds, 0.9)),
        "unfinished": float(np.mean(seconds >= blocks.BLOCK_S * blocks.BLOCKS_MAX)),
    }


def _told(run: blocks.Run, tables: list[QualityTable], measured: Document) -> dict[str, Any]:
    """Latency, sends, BER, share of refused edges, and mean quality of a scheme."""
    alone = measured["tables"][SET]["prompt_alone"]
    quality = {
        metric: float(np.mean(np.where(run.refused, alone[metric], table(run.ber))))
        for metric, table in zip(METRICS, tables, strict=True)
    }
    return {
        **_latency(run.seconds),
        "sends": float(run.sends.mean()),
        "ber": float(run.ber.mean()),
        "refused": float(run.refused.mean()),
        **quality,
    }


def lines(document: Document) -> list[str]:
    """For the terminal."""
    found = []
    for one in document["targets"]:
        likeness, ms_ssim = one["target"]
        slow = one["blocks_slower_at_db"]
        found.append(
            f"likeness {likeness:g}, MS-SSIM {ms_ssim:g}, BER {one['ber']:.2g}, below 12 dB slower "
            f"than the single stream: in the model at {_at(one['model_slower_at_db'])}; in blocks "
            f"at {_at(slow['single'])} (rate (4)), at {_at(slow['single, whole bits'])} (its QAM)"
        )
    for curve in document["model"]["curves"]:
        below = curve["slower_below_12_db"]
        where = f"slower up to {max(below):g} dB, from {min(below):g}" if below else "never slower"
        found.append(f"model, BER {curve['ber']:.2g}, below 12 dB: {where}")
    for limit in document["limits"]:
        rows = [r for r in document["blocks"] if r["ber_limit"] == limit]
        pairs = (
            f"{r['mean_snr_db']:g} dB {r['adaptive']['mean_ms'] / r['single']['mean_ms']:.2f}"
            for r in rows
        )
        found.append(f"blocks, BER {limit:.2g}: latency over the single stream's: "
                     + ", ".join(pairs))  # fmt: skip
    return found


def _at(snrs_db: list[float]) -> str:
    return ", ".join(f"{db:g}" for db in snrs_db) + " dB" if snrs_db else "no SNR"
