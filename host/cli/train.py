# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a model."""

from __future__ import annotations

import argparse

from host.cli.models import add_models

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


def run(args: argparse.Namespace) -> int:
    """Run the chosen training, in several processes where wished."""
    if args.processes == 1:
        return args.run(args)
    from host.train.options import check
    from host.train.processes import launch

    check(args)
    return launch(args)
