# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m host.cli``: pick the subcommand, run it, turn errors into one line."""

from __future__ import annotations

import importlib
import io
import logging
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

# name -> (module, one line); the last three are the launcher's own.
COMMANDS: dict[str, tuple[str | None, str]] = {
    "demo": ("host.cli.demo", "send a photo through the whole link and show what arrived"),
    "tx": ("host.cli.tx", "send a photo by one radio"),
    "rx": ("host.cli.rx", "receive photos by one radio"),
    "replay": ("host.cli.replay", "send a recording through the receiver again"),
    "air": ("host.cli.air", "run virtual radios that real drivers can open"),
    "host": ("host.cli.host", "run the model service for radios and pipelines"),
    "train": ("host.cli.train", "train a model"),
    "eval": ("host.cli.evaluate", "measure a model"),
    "bench": ("host.cli.bench", "measure the waveform against its limits and other software"),
    "experiment": ("host.cli.experiment", "regenerate the figures of a published system"),
    "plan": ("host.cli.plan", "choose power, modulation and retransmission of each stream"),
    "calibrate": ("host.cli.calibrate", "measure a radio's errors, write its profile"),
    "doctor": (None, "say what is there, what is missing, and how to get it"),
    "grc": (None, "open GNU Radio Companion with the testbed's blocks"),
    "test": (None, "run every test"),
}
INTERRUPTED_EXIT = 130  # 128 + SIGINT, as shells expect
TERMINATED_EXIT = 143  # 128 + SIGTERM


def top_help() -> str:
    """The text of ``semcom --help``."""
    rows = "\n".join(f"  {name:<11}{line}" for name, (_, line) in COMMANDS.items())
    return (
        "usage: semcom COMMAND [OPTION ...]\n\n"
        "Generative semantic communication over GNU Radio OFDM links.\n\n"
        f"commands:\n{rows}\n\n"
        "semcom COMMAND --help shows a command's options with units and defaults.\n"
        "exit codes: 0 done, 1 the link or a process failed, 2 bad input or something missing"
    )


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED_EXIT)  # unwinds through every ``with``: children end in order


def dispatch(argv: list[str]) -> int:
    """Run ``argv`` (without the program's name); return the exit code, raise named errors."""
    from semcom_blocks.errors import ConfigError

    if not argv or argv[0] in ("-h", "--help", "help"):
        print(top_help())
        return 0
    module = COMMANDS.get(argv[0], (None, ""))[0]
    if module is None:
        names = ", ".join(COMMANDS)
        raise ConfigError(f"unknown command {argv[0]!a}, permitted: {names}")
    from host.cli.parser import OneLineParser

    command = importlib.import_module(module)
    parser = OneLineParser(prog=f"semcom {argv[0]}", description=command.__doc__)
    command.add_arguments(parser)
    return command.run(parser.parse_args(argv[1:]))


def one_line(error: BaseException) -> str:
    """``semcom: error: …`` on one line, whatever the error's text holds."""
    return "semcom: error: " + " ".join(str(error).split())


def main(argv: list[str] | None = None) -> int:
    """Entry point: the exit code, with errors already told on stderr."""
    from semcom_blocks.errors import SemcomError

    level = os.environ.get("SEMCOM_LOG", "WARNING").upper()
    logging.basicConfig(
        level=level if isinstance(logging.getLevelName(level), int) else "WARNING",
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
    )
    signal.signal(signal.SIGTERM, _terminated)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that is not UTF-8 gets escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return dispatch(sys.argv[1:] if argv is None else argv)
    except SemcomError as error:
        print(one_line(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("semcom: interrupted", file=sys.stderr)
        return INTERRUPTED_EXIT
    except BrokenPipeError:  # `semcom … | head`: nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
