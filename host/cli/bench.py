# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the waveform against its limits and against other software."""

from __future__ import annotations

import argparse

from host.cli.models import add_models, run

BENCHES = {
    "air": "host.bench.air",
    "allocation": "host.bench.allocation",
    "codec": "host.bench.codec",
    "estimator": "host.bench.estimator",
    "link": "host.bench.link",
    "phy": "host.bench.phy",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmarks and their options."""
    add_models(parser, BENCHES, metavar="BENCH")


__all__ = ["add_arguments", "run"]
