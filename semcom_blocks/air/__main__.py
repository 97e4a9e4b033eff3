# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a virtual air: ``python3 -m semcom_blocks.air --config FILE.json``.

Prints one line on stdout once every device listens, ``air ready NAME=KIND@ADDRESS …
control=ENDPOINT``.  Ends on SIGTERM or SIGINT with status 0.  A named error is one line
on stderr and its exit status.
"""

import argparse
import contextlib
import json
import logging
import signal
import sys
import threading
from pathlib import Path

from semcom_blocks.air.config import AirConfig
from semcom_blocks.air.control import ControlServer
from semcom_blocks.air.engine import Air
from semcom_blocks.air.kinds import make_devices
from semcom_blocks.errors import ConfigError, RadioError, SemcomError

#: How often the engine is looked at.
WATCH_S = 0.1
#: A configuration is a page of text.
MAX_CONFIG_BYTES = 1 << 20


def read_config(path: Path) -> AirConfig:
    """The air described by a JSON file."""
    try:
        text = path.read_bytes()
        if len(text) > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} has {len(text)} bytes, permitted: up to {MAX_CONFIG_BYTES}")
        return AirConfig.from_dict(json.loads(text))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from None


def run(config: AirConfig) -> None:
    """Serve until told to stop; raise if the engine breaks."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.ExitStack() as stack:
        air = stack.enter_context(Air(config, make_devices(config)))
        words = [f"{its.name}={its.kind}@{its.address}" for its in config.devices]
        if config.control is not None:
            server = stack.enter_context(ControlServer(air, config.control))
            words.append(f"control={server.endpoint}")
        print("air ready", *words, flush=True)
        while not stop.wait(WATCH_S):
            if not air.running:
                raise RadioError("the virtual air broke off; its log tells why")


def main() -> int:
    """Parse the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="semcom_blocks.air", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file of the air")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    try:
        run(read_config(arguments.config))
    except SemcomError as error:
        sys.stderr.write(f"semcom: error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
