# SPDX-License-Identifier: GPL-3.0-or-later
"""Run virtual radios joined by a software air, until Ctrl-C.

Without a file: two of one kind, one with a crystal 10 ppm fast, the other 10 ppm slow.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

from host.cli.parser import positive
from host.config.air import (
    DEFAULT_ADDRESS,
    DEFAULT_PPM,
    AirSettings,
    Clock,
    DeviceTable,
    Kind,
    load_air,
    pair,
)
from semcom_blocks.air.config import DEVICE_RANGES, PATH_RANGES

# How often the air is looked at.
_WATCH_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--config",
        type=Path,
        default=None,
        metavar="FILE.toml",
        help="devices and paths; the options of two radios then do not apply",
    )
    parser.add_argument(
        "--clock",
        choices=get_args(Clock),
        default=argparse.SUPPRESS,
        help="virtual moves only while a client waits and loses nothing; real is the wall's "
        "(default: virtual)",
    )
    parser.add_argument(
        "--seed",
        type=positive(0, 2**31 - 1, int),
        default=argparse.SUPPRESS,
        metavar="N",
        help="of noise and fading (default: 0)",
    )
    parser.add_argument(
        "--control",
        default=argparse.SUPPRESS,
        metavar="tcp://127.0.0.1:PORT",
        help="socket for faults and changes of paths (default: a free port)",
    )
    parser.add_argument(
        "--log-dir",
        type=Path,
        default=None,
        metavar="DIR",
        help="keep the air's log here; otherwise it is dropped at the end",
    )
    group = parser.add_argument_group("two radios")
    group.add_argument(
        "--kind", choices=get_args(Kind), default=argparse.SUPPRESS, help="(default: pluto)"
    )
    group.add_argument(
        "--address",
        default=argparse.SUPPRESS,
        metavar="IPV4",
        help="loopback address of the first; the other takes the next one "
        f"(default: {DEFAULT_ADDRESS})",
    )
    group.add_argument(
        "--ppm",
        type=positive(*DEVICE_RANGES["clock_ppm"]),
        default=argparse.SUPPRESS,
        metavar="PPM",
        help=f"error of the first one's crystal, the other's is its negative "
        f"(default: {DEFAULT_PPM:g})",
    )
    group.add_argument(
        "--gain-db",
        type=positive(*PATH_RANGES["gain_db"]),
        default=argparse.SUPPRESS,
        metavar="DB",
        help="of the path each way (default: -50)",
    )


def settings(args: argparse.Namespace) -> AirSettings:
    """The air that the options and the file describe."""
    given = vars(args)
    over: dict[str, Any] = {k: given[k] for k in ("clock", "seed", "control") if k in given}
    two = {k: given[k] for k in ("kind", "address", "ppm", "gain_db") if k in given}
    if args.config is not None:
        from semcom_blocks.errors import ConfigError

        if two:
            name = next(iter(two)).replace("_", "-")
            raise ConfigError(f"--{name} does not go with --config, permitted: one of them")
        return load_air(args.config, over)
    gain_db = two.pop("gain_db", None)
    over["devices"] = pair(two.pop("kind", "pluto"), **two)
    if gain_db is not None:
        over["paths"] = [{"from": a, "to": b, "gain_db": gain_db} for a, b in ("ab", "ba")]
    return load_air(None, over)


def run(args: argparse.Namespace) -> int:
    """Serve; 0 after Ctrl-C."""
    from host.cli.display import say
    from host.supervise import Supervisor
    from host.supervise.air import start_air

    air = settings(args)
    with tempfile.TemporaryDirectory(prefix="semcom-air-") as scratch:
        folder = Path(scratch)
        if args.log_dir is not None:
            args.log_dir.mkdir(parents=True, exist_ok=True)
        with Supervisor(args.log_dir or folder) as crew:
            try:
                _, control = start_air(crew, air.document(), folder)
                say(f"virtual air, {air.clock} clock; Ctrl-C ends it")
                for device in air.devices:
                    say(describe(device))
                if control is not None:
                    say(f"  control  {control}")
                while True:
                    crew.check()
                    time.sleep(_WATCH_S)
            except KeyboardInterrupt:
                say("\nending the air")
    return 0


def describe(device: DeviceTable) -> str:
    """How to reach a device, by the testbed and by its maker's tools."""
    name = f"  {device.name:<8} {device.kind:<6}{device.clock_ppm:+6.1f} ppm  "
    if device.kind == "pluto":
        uri = f"ip:{device.address}" + (f":{device.port}" if device.port else "")
        return f"{name}--radio pluto:{uri}   iio_info -u {uri}"
    return f"{name}--radio usrp:addr={device.address}   uhd_usrp_probe --args addr={device.address}"
