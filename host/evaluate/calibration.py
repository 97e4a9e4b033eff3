# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibrations of virtual radios whose errors are known: ``./semcom eval calibration``.

For each kind of radio, clock error and seed an air with two radios of known crystals, and
mixers, delay and attenuation drawn from the seed.  The calibration drives them through their
real drivers and knows nothing of the truth.  Goals: frequency within 0.5 ppm, delay within
0.1 sample, every image better than -40 dBc once corrected; a missed one ends it with status 1.
"""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from calibration.imbalance import IMAGE_MIN_DBC
from calibration.outcome import Outcome
from calibration.plan import STEPS, Settings
from calibration.profile import write_atomic
from calibration.run import Unwatched
from host.cli.parser import positive
from host.supervise import Supervisor
from host.supervise.air import start_air
from host.versions import own_versions

KINDS = ("pluto", "usrp")
#: Errors of the radio and of its reference in ppm.
CLOCKS_PPM = ((10.0, -10.0), (-25.0, 20.0), (0.3, 0.0), (4.2, 7.9))
SEEDS = (1, 2, 3)
GOALS = {"frequency_ppm": 0.5, "rate_ppm": 0.5, "delay_samples": 0.1, "image_dbc": -40.0}

# What is drawn: mixers as bad as uncalibrated ones, delays of some metres to some kilometres.
GAIN_DB, PHASE_DEG, DC_DBFS = 1.0, 5.0, (-45.0, -25.0)
DELAY_S = (0.0, 20e-6)
#: How long virtual time waits for a transmitter's process on a busy machine.
GRACE_S = 5.0
PATH_DB = (-100.0, -40.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval calibration``."""
    parser.add_argument("--kind", choices=KINDS, action="append", help="of radio (default: both)")
    parser.add_argument(
        "--seeds", type=positive(1, 1000, int), default=len(SEEDS), metavar="N", help="how many"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all runs there as well")


def run(args: argparse.Namespace) -> int:
    """Run every case, print the table; 0 if every goal is met."""
    cases = [
        (kind, clocks, seed)
        for kind in args.kind or KINDS
        for clocks in CLOCKS_PPM
        for seed in range(1, args.seeds + 1)
    ]
    runs = [one(*case) for case in track(cases, description="calibrations")]
    Console().print(table(runs))
    if args.json:
        document = {
            "goals": GOALS,
            "worst": worst(runs),
            "versions": own_versions(),
            "note": "real drivers, emulated radios",
            "runs": runs,
        }
        write_atomic(args.json, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    return 0 if all(met(run["errors"]) for run in runs) else 1


def one(kind: str, clocks: tuple[float, float], seed: int) -> dict[str, Any]:
    """Truth, result and errors of one calibration."""
    truth = draw(clocks, seed)
    with tempfile.TemporaryDirectory(prefix="semcom-") as folder, Supervisor(Path(folder)) as crew:
        addresses = _addresses()
        start_air(crew, air(kind, truth, seed, addresses), Path(folder))
        specs = [
            f"{kind}:ip:{address}" if kind == "pluto" else f"{kind}:addr={address}"
            for address in addresses
        ]
        from host.cli.calibrate import measure

        outcome = measure(specs, Settings(), STEPS, Unwatched())
    return {
        "kind": kind,
        "seed": seed,
        "truth": truth,
        "found": found(outcome),
        "errors": errors(outcome, truth),
    }


def draw(clocks: tuple[float, float], seed: int) -> dict[str, float]:
    """What is wrong with the radio, from the seed."""
    rng = np.random.default_rng(seed)
    values = {"clock_ppm": clocks[0], "reference_ppm": clocks[1]}
    for side in ("", "tx_"):
        values[f"{side}iq_gain_db"] = rng.uniform(-GAIN_DB, GAIN_DB)
        values[f"{side}iq_phase_deg"] = rng.uniform(-PHASE_DEG, PHASE_DEG)
        values[f"{side}dc_offset_dbfs"] = rng.uniform(*DC_DBFS)
    values["delay_s"] = rng.uniform(*DELAY_S)
    values["path_db"] = rng.uniform(*PATH_DB)
    return {name: round(float(value), 9) for name, value in values.items()}


def air(
    kind: str, truth: dict[str, float], seed: int, addresses: tuple[str, str]
) -> dict[str, Any]:
    """The radio that hears itself, and the reference that it hears as well."""
    mixers = {key: value for key, value in truth.items() if "iq_" in key or "dc_" in key}
    path = {"gain_db": truth["path_db"], "delay_s": truth["delay_s"]}
    return {
        "clock": "virtual",
        "grace_s": GRACE_S,
        "seed": seed,
        "devices": [
            {"name": "radio", "kind": kind, "address": addresses[0], "serial": "RADIO"}
            | {"clock_ppm": truth["clock_ppm"]}
            | mixers,
            {"name": "reference", "kind": kind, "address": addresses[1], "serial": "REFERENCE"}
            | {"clock_ppm": truth["reference_ppm"]},
        ],
        "paths": [
            {"from": "radio", "to": "radio", **path},
            {"from": "reference", "to": "radio", **path},
        ],
    }


def found(outcome: Outcome) -> dict[str, Any]:
    """The report without the sweep."""
    report = outcome.report()
    report.pop("gain_sweep")
    return report


def errors(outcome: Outcome, truth: dict[str, float]) -> dict[str, float]:
    """How far what was found is from the truth, magnitudes."""
    clocks, way, rx, tx = outcome.clocks, outcome.way, outcome.rx, outcome.tx
    assert clocks is not None and way is not None and rx is not None and tx is not None
    assert outcome.drift_ppm is not None
    own, reference = (1 + truth[name] * 1e-6 for name in ("clock_ppm", "reference_ppm"))
    ppm = (own / reference - 1) * 1e6
    delay = truth["delay_s"] * way.rate_hz * own
    values = {
        "frequency_ppm": abs(clocks.error_ppm - ppm),
        "rate_ppm": abs(clocks.rate_error_ppm - ppm),
        "drift_ppm": abs(outcome.drift_ppm - ppm),
        "delay_samples": abs(way.samples - delay),
        # Twice: as measured on a new record, and as it must be by the mixer's truth.
        "image_rx_dbc": rx.corrected_image_dbc,
        "image_tx_dbc": tx.corrected_image_dbc,
        "image_rx_true_dbc": _left_dbc(rx.found.branch, truth, ""),
        "image_tx_true_dbc": _left_dbc(tx.found.branch, truth, "tx_"),
        "dc_rx_dbfs": rx.corrected_offset_dbfs,
        "dc_tx_dbfs": tx.corrected_offset_dbfs,
    }
    return {name: round(float(value), 6) for name, value in values.items()}


def _left_dbc(branch: complex, truth: dict[str, float], side: str) -> float:
    """Image that a correction for ``branch`` leaves of the true one: |w - w'| / |1 + w|."""
    gain = 10 ** (truth[f"{side}iq_gain_db"] / 20)
    true = gain * np.exp(1j * np.deg2rad(truth[f"{side}iq_phase_deg"]))
    left = abs(branch - true) / abs(1 + true)
    return max(20 * float(np.log10(max(left, 1e-9))), IMAGE_MIN_DBC)


def met(found: dict[str, float]) -> bool:
    """Whether one run meets every goal."""
    return (
        found["frequency_ppm"] <= GOALS["frequency_ppm"]
        and found["rate_ppm"] <= GOALS["rate_ppm"]
        and found["delay_samples"] <= GOALS["delay_samples"]
        and all(v <= GOALS["image_dbc"] for name, v in found.items() if name.startswith("image"))
    )


def worst(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The largest of each error, by kind."""
    kinds = dict.fromkeys(run["kind"] for run in runs)
    return {
        kind: {
            name: max(run["errors"][name] for run in runs if run["kind"] == kind)
            for name in runs[0]["errors"]
        }
        for kind in kinds
    }


def table(runs: list[dict[str, Any]]) -> Table:
    """One row a run."""
    result = Table("kind", "ppm", "seed", "LO ppm", "rate ppm", "delay", "rx image", "tx image",
                   "tone SNR")  # fmt: skip
    for run in runs:
        found = run["errors"]
        truth = run["truth"]
        result.add_row(
            run["kind"],
            f"{truth['clock_ppm']:+g} {truth['reference_ppm']:+g}",
            str(run["seed"]),
            f"{found['frequency_ppm']:.4f}",
            f"{found['rate_ppm']:.4f}",
            f"{found['delay_samples']:.4f}",
            f"{max(found['image_rx_dbc'], found['image_rx_true_dbc']):.1f}",
            f"{max(found['image_tx_dbc'], found['image_tx_true_dbc']):.1f}",
            f"{run['found']['profile']['noise']['snr_db']:.1f}",
            style=None if met(found) else "red",
        )
    return result


def _addresses() -> tuple[str, str]:
    """Two loopback addresses that nobody else is likely to use."""
    middle = f"127.{64 + secrets.randbelow(128)}.{secrets.randbelow(256)}"
    return f"{middle}.1", f"{middle}.2"
