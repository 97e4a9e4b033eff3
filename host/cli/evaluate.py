# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a model."""

from __future__ import annotations

import argparse

from host.cli.models import add_models, run

MODELS = {
    "calibration": "host.evaluate.calibration",
    "generation": "host.evaluate.generation",
    "bit-errors": "host.evaluate.bit_errors",
    "captioner": "host.evaluate.captioner",
    "cgan": "host.evaluate.cgan",
    "contrastive": "host.evaluate.contrastive",
    "digital-baseline": "host.evaluate.digital_baseline",
    "digital-bler": "host.evaluate.digital_bler",
    "edges": "host.evaluate.edges",
    "edges-vs-jpeg": "host.evaluate.edges_vs_jpeg",
    "hed": "host.evaluate.hed",
    "jscc": "host.evaluate.jscc",
    "jscc-link": "host.evaluate.jscc_link",
    "link": "host.evaluate.link",
    "link-vs-ideal": "host.evaluate.link_vs_ideal",
    "receivers": "host.evaluate.receivers",
    "refiner": "host.evaluate.refiner",
    "radios": "host.evaluate.radios",
    "soak": "host.evaluate.soak",
    "waveform": "host.evaluate.waveform",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the models and their options."""
    add_models(parser, MODELS)


__all__ = ["add_arguments", "run"]
