# SPDX-License-Identifier: GPL-3.0-or-later
"""``train`` and ``eval``: one further word names the model."""

from __future__ import annotations

import argparse
import importlib

from host.cli.parser import OneLineParser


def add_models(
    parser: argparse.ArgumentParser, modules: dict[str, str], metavar: str = "MODEL"
) -> None:
    """Mount ``modules`` (model → module with ``add_arguments`` and ``run``) on ``parser``."""
    choices = parser.add_subparsers(
        dest="model", required=True, metavar=metavar, parser_class=OneLineParser
    )
    for name, module in modules.items():
        part = importlib.import_module(module)
        line = (part.__doc__ or name).strip().splitlines()[0]
        chosen = choices.add_parser(name, help=line, description=part.__doc__)
        part.add_arguments(chosen)
        chosen.set_defaults(run=part.run)


def run(args: argparse.Namespace) -> int:
    """Run the chosen model's command."""
    return args.run(args) or 0
