# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a radio process: ``python3 -m semcom_blocks.radio tx|rx --config FILE.json``.

Ends on SIGTERM or SIGINT with status 0.  A named error is one line on stderr and
status 2; anything else that goes wrong in a block aborts the process, and whoever
started it restarts it.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from semcom_blocks.errors import ConfigError, RadioError, SemcomError
from semcom_blocks.radio.job import ROLES, RadioJob

#: How often the radio is looked at.
WATCH_S = 0.1
#: How long a driver may take to stop: less than whoever sent SIGTERM waits before it kills.
STOP_MAX_S = 2.5
#: Radios that are our own blocks.
WITHOUT_DRIVER = ("sim", "file:")
#: Radios whose drivers may hang in a destructor, and hold nothing that the device misses.
NOT_DESTROYED = ("pluto:",)


def run(role: str, config: Path, leave: Callable[[int], int] = lambda status: status) -> None:
    """Build the flowgraph of ``role``, run it, stop it when told to.

    ``leave(0)`` is called at the end of a flowgraph with a Pluto, while its blocks still exist:
    gr-iio's source may hang in its destructor, although all is done.  A USRP is let go there.
    """
    job = RadioJob.from_file(config)
    if job.role != role:
        raise ConfigError(f"role is {role!r}, permitted by {config}: {job.role}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # GNU Radio is imported only once the job is known to be good: errors come at once.
    from semcom_blocks.radio import flowgraph

    top = flowgraph.transmitter(job) if role == "tx" else flowgraph.receiver(job)
    top.start()
    while not stop.wait(WATCH_S) and top.failed is None:
        pass
    failed = top.failed
    # Only a driver can hang; on a busy machine our own blocks may take longer.
    has_driver = not job.radio.startswith(WITHOUT_DRIVER)
    ended = _end(top, STOP_MAX_S if has_driver else None)
    if failed is not None:
        raise failed
    if not ended:
        raise RadioError(f"{job.radio} does not stop within {STOP_MAX_S:g} s")
    if job.radio.startswith(NOT_DESTROYED):
        leave(0)


def _end(top: Any, patience_s: float | None) -> bool:
    """Stop the flowgraph; False if a driver hangs, which only the end of the process ends."""

    def end() -> None:
        top.stop()
        top.wait()

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(patience_s)
    return not thread.is_alive()


def main(leave: Callable[[int], int] = lambda status: status) -> int:
    """Parse the command line; returns the exit status, or what ``leave`` makes of a bad one.

    ``leave`` is called while what failed still exists: a driver that lost its device, or
    whose stream never began, may hang or abort in its destructor.
    """
    parser = argparse.ArgumentParser(prog="semcom_blocks.radio", description=__doc__)
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--config", type=Path, required=True, help="JSON file of the radio job")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    try:
        run(arguments.role, arguments.config, leave)
    except ImportError as error:
        sys.stderr.write(f"semcom: error: GNU Radio's Python lacks a module: {error}\n")
        return leave(2)
    except SemcomError as error:
        sys.stderr.write(f"semcom: error: {error}\n")
        return leave(error.exit_code)
    return 0


def leave_at_once(status: int) -> int:
    """End the process without another word."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main(leave_at_once))
