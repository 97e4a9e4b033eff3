# SPDX-License-Identifier: GPL-3.0-or-later
"""Regenerate the figures of a published system."""

from __future__ import annotations

import argparse

from host.cli.models import add_models, run

EXPERIMENTS = {"latency-aware": "host.experiment.latency_aware"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the experiments and their options."""
    add_models(parser, EXPERIMENTS, metavar="EXPERIMENT")


__all__ = ["add_arguments", "run"]
