# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a model."""

from __future__ import annotations

import argparse

from host.cli.models import add_models, run

MODELS = {
    "jscc": "host.train.jscc",
    "cgan": "host.train.cgan",
    "hed": "host.train.hed",
    "edge-codec": "host.train.edge_codec",
    "captioner": "host.train.captioner",
    "judge": "host.train.judge",
    "contrastive": "host.train.contrastive",
    "vae": "host.train.vae",
    "flow": "host.train.flow",
    "control": "host.train.control",
    "receiver": "host.train.receiver",
    "refiner": "host.train.refiner",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the models and their options."""
    add_models(parser, MODELS)


__all__ = ["add_arguments", "run"]
