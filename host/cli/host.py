# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the model service until Ctrl-C, for `tx`, `rx` and `demo` with --host."""

from __future__ import annotations

import argparse
from pathlib import Path

from host.cli.parser import add_field, overrides, positive
from host.service.__main__ import THREADS_MAX, default_threads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--config",
        type=Path,
        default=None,
        metavar="FILE.toml",
        help="experiment file whose table [models] says who fills which role",
    )
    add_field(parser, "--port", "network.host_port", "TCP port")
    add_field(parser, "--bind", "network.bind", "address to listen on; 0.0.0.0 for all")
    parser.add_argument(
        "--threads",
        type=positive(1, THREADS_MAX, int),
        default=default_threads(),
        metavar="N",
        help="processors for the models",
    )


def run(args: argparse.Namespace) -> int:
    """Serve; 0 after Ctrl-C or SIGTERM."""
    from host.config import load_run
    from host.service.__main__ import leave, run_service
    from models.tiers import TierChoice

    loaded = load_run(args.config, overrides(args))
    network, models = loaded.network, TierChoice.from_dict(loaded.models.model_dump())
    endpoint = f"tcp://{network.bind}:{network.host_port}"

    def announce(bound: str) -> None:
        print(f"semcom host: listening on {bound}, Ctrl-C ends it", flush=True)

    # Naming an address is asking for it; the transport still warns that it is open.
    run_service(endpoint, args.threads, allow_remote=True, announce=announce, models=models)
    leave(0)
    return 0
