# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m host.service --bind tcp://127.0.0.1:5570``: the service as a process."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from host.service.handlers import CodecLoader, Handlers, load_shipped_codec
from host.service.server import Server
from models.tiers import Models, TierChoice
from semcom_blocks.errors import SemcomError

THREADS_MAX = 64  # beyond it convolutions of this size get slower


def default_threads() -> int:
    """Processors that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(usable or 1, THREADS_MAX))


def run_service(
    endpoint: str,
    threads: int,
    load_codec: CodecLoader = load_shipped_codec,
    *,
    allow_remote: bool = False,
    announce: Callable[[str], None] = lambda endpoint: None,
    models: TierChoice | None = None,
) -> None:
    """Serve on ``endpoint`` until SIGTERM or SIGINT; ``announce`` is told when it listens."""
    handlers = Handlers(load_codec, Models(models or TierChoice()))
    server = Server(endpoint, handlers, allow_remote=allow_remote)

    def end(number: int, frame: FrameType | None) -> None:
        server.stop()

    def limit_threads() -> None:
        import torch

        torch.set_num_threads(threads)
        torch.get_num_threads()  # holds it for this thread, whatever another one sets for itself

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    logging.getLogger(__name__).info("listening on %s, %d threads", server.endpoint, threads)
    announce(server.endpoint)
    try:
        server.serve(limit_threads)
    finally:
        server.close()


def leave(code: int) -> None:
    """End the process at once: torch's threads may be amid a computation nobody awaits."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(argv: list[str] | None = None, load_codec: CodecLoader = load_shipped_codec) -> None:
    """Parse the command line and serve; exit code 0 after SIGTERM, 2 after a named error."""
    parser = argparse.ArgumentParser(prog="python -m host.service")
    parser.add_argument("--bind", required=True, help="ZMQ endpoint, tcp://ADDRESS:PORT")
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--allow-remote", action="store_true")
    parser.add_argument("--models", type=json.loads, default={}, help="a models.tiers.TierChoice")
    args = parser.parse_args(argv)
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        models = TierChoice.from_dict(args.models)
        run_service(
            args.bind, args.threads, load_codec, allow_remote=args.allow_remote, models=models
        )
    except SemcomError as error:
        print(f"semcom: error: {error}", file=sys.stderr)
        leave(error.exit_code)
    leave(0)


if __name__ == "__main__":
    main()
