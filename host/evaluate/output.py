# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables share: files they are told to write, threads, and how rows are printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from semcom_blocks.errors import ConfigError, require_range

FILES = ("json", "plot", "pictures", "sheet")  # options that name a file


def add_files(
    parser: argparse.ArgumentParser, tables: str = "tables", pictures: str = "some pictures"
) -> None:
    """Options that name the files to write: JSON with the ``tables``, curves, a sheet."""
    add = parser.add_argument
    add("--json", metavar="FILE", help=f"write the {tables} there as well (default: not written)")
    add("--plot", metavar="FILE", help="draw the curves as PNG there (default: not drawn)")
    add("--pictures", metavar="FILE", help=f"draw {pictures} as PNG there (default: not drawn)")


def prepare(args: argparse.Namespace, seed_max: int = 2**63 - 1) -> None:
    """Refuse seeds, threads and files out of range before any work; set torch's threads.

    Raises ConfigError. Options that a command does not have are passed over.
    """
    given = vars(args)
    if "seed" in given:
        require_range("seed", args.seed, 0, seed_max)
    if "threads" in given:
        require_range("threads", args.threads, 0, 1024)
    for name in FILES:
        path = given.get(name)
        if isinstance(path, str) and path and not Path(path).absolute().parent.is_dir():
            raise ConfigError(f"{name} is {path!r}, permitted: a file in an existing folder")
    if given.get("threads"):
        import torch

        torch.set_num_threads(args.threads)


def write_json(path: str, document: Mapping[str, Any]) -> None:
    """Write ``document`` to ``path``, all of it or nothing."""
    from models.weights_io import write_atomic

    write_atomic(Path(path), (json.dumps(document, indent=1) + "\n").encode())


def show(
    console: Console, title: str, rows: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> None:
    """Print ``keys`` of ``rows`` as a table."""
    table = Table(title=title)
    for key in keys:
        table.add_column(key.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*("-" if row.get(k) is None else f"{row[k]}" for k in keys))
    console.print(table)
