# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a radio's errors and write the profile that tx and rx apply.

RADIO is pluto:URI or usrp:ARGS.  It measures its own gains, mixers, delay and noise by
hearing itself: join TX and RX by a cable with an attenuator of 30 dB.  Frequency and
sample rate need a second radio whose clock is trusted, --reference, in the same air.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calibration import profile
from calibration.drivers.base import Radio
from calibration.outcome import Outcome
from calibration.plan import NEED_REFERENCE, STEPS, Settings, choose, parse
from host.cli.parser import positive
from host.supervise import Supervisor, radio_python
from host.supervise.environment import REPO_ROOT, child_environment
from host.supervise.ports import free_ports
from semcom_blocks.errors import ConfigError

KINDS = ("pluto", "usrp")
PROFILES = REPO_ROOT / "calibration" / "profiles"  # where tx and rx look
SPEC_CHARS_MAX = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("radio", metavar="RADIO", help="pluto:URI or usrp:ARGS")
    parser.add_argument(
        "--reference",
        metavar="RADIO",
        help="second radio whose clock is trusted, as transmitter for frequency and rate",
    )
    parser.add_argument(
        "--only",
        metavar="STEPS",
        help=f"of {','.join(STEPS)}; the profile keeps its other parts (default: all that can "
        "be measured)",
    )
    parser.add_argument(
        "--profiles",
        type=Path,
        default=PROFILES,
        metavar="DIR",
        help="folder of profiles, SERIAL.toml and a plot SERIAL.png in it "
        "(default: calibration/profiles)",
    )
    default = Settings()
    parser.add_argument(
        "--rate-hz",
        type=positive(1e5, 61.44e6),
        default=default.rate_hz,
        metavar="HZ",
        help="sample rate in Hz",
    )
    parser.add_argument(
        "--center-freq-hz",
        type=positive(1e6, 1e10),
        default=default.center_freq_hz,
        metavar="HZ",
        help="carrier frequency in Hz, where the mixers are measured",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    for action in parser._actions:
        if action.dest == "profiles":  # the default is a machine's path; its help names it
            action.default = None


def run(args: argparse.Namespace) -> int:
    """Calibrate; 0 if every step asked for was taken."""
    from host.report.calibration import draw
    from host.report.document import to_json
    from host.report.files import output_folder

    only = parse(args.only)
    steps = choose(only, args.reference is not None)
    specs = [args.radio] + ([args.reference] if args.reference is not None else [])
    for spec in specs:
        check_spec(spec)
    if len(set(specs)) != len(specs):
        raise ConfigError(f"reference is {args.reference!a}, permitted: another radio")
    settings = Settings(args.rate_hz, args.center_freq_hz)
    with output_folder(args.profiles or PROFILES) as folder, Display() as display:
        outcome = measure(specs, settings, steps, display, required=only or ())
        if only is None and args.reference is None:
            display.note(f"without --reference no {' and no '.join(NEED_REFERENCE)} error")
        path = profile.path_of(folder, outcome.serial)
        profile.update(path, outcome.serial, outcome.kind, outcome.sections(), now())
        profile.write_atomic(path.with_suffix(".png"), draw(outcome))
    if args.json:
        sys.stdout.write(to_json({**outcome.report(), "profile_path": str(path)}))
    else:
        from rich.console import Console
        from rich.text import Text

        Console().print(table(outcome))
        Console().print(Text(f"\nprofile: {path}, {path.with_suffix('.png')}"), soft_wrap=True)
    return 0


def measure(
    specs: list[str],
    settings: Settings,
    steps: tuple[str, ...],
    watcher: Any,
    *,
    required: tuple[str, ...] = (),
) -> Outcome:
    """Open the radio and perhaps its reference, take the steps, close them again."""
    from calibration.run import calibrate

    with open_radios(specs) as radios:
        reference = radios[1] if len(radios) > 1 else None
        return calibrate(radios[0], reference, settings, steps, watcher, required=required)


def now() -> datetime.datetime:
    """The time that a profile carries."""
    return datetime.datetime.now(datetime.timezone.utc)


def check_spec(spec: str) -> tuple[str, str]:
    """Kind and address of ``pluto:URI`` or ``usrp:ARGS``; ``ConfigError`` for anything else."""
    kind, _, address = spec.partition(":")
    short = spec.isprintable() and len(spec) <= SPEC_CHARS_MAX
    if kind not in KINDS or not short or (kind == "pluto" and not address):
        raise ConfigError(f"radio is {spec!a:.80}, permitted: pluto:URI or usrp:ARGS")
    return kind, address


@contextlib.contextmanager
def open_radios(specs: list[str]) -> Iterator[list[Radio]]:
    """The radios of ``specs``, and for a USRP the process that holds it."""
    with contextlib.ExitStack() as stack:
        crew: Supervisor | None = None
        radios: list[Radio] = []
        for role, spec in zip(("usrp", "reference usrp"), specs, strict=False):
            kind, address = check_spec(spec)
            if kind == "pluto":
                from calibration.drivers.pluto import Pluto

                radio: Radio = Pluto(address)
            else:
                if crew is None:
                    logs = stack.enter_context(tempfile.TemporaryDirectory(prefix="semcom-"))
                    crew = stack.enter_context(Supervisor(Path(logs)))
                radio = _open_usrp(crew, role, address)
            stack.callback(radio.close)
            radios.append(radio)
        yield radios


def _open_usrp(crew: Supervisor, name: str, args: str) -> Radio:
    from calibration.drivers.usrp import Usrp

    endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    argv = [radio_python(), "-m", "semcom_blocks.radio.uhd_server"]
    argv += ["--args", args, "--endpoint", endpoint]
    crew.start(name, argv, child_environment(threads=1, user_site=False))
    return Usrp(args, endpoint, crew.check)


class Display:
    """A bar on a terminal's stderr; notes are always told."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("opening", total=None)

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage(self, name: str) -> None:
        """A step begins."""
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=None)

    def progress(self, done: int, total: int) -> None:
        """``done`` of ``total`` records of it are taken."""
        self._progress.update(self._task, completed=done, total=total)

    def note(self, text: str) -> None:
        """A line above the bar."""
        from rich.text import Text

        self._console.print(Text(f"semcom: {text}"), soft_wrap=True)


def table(outcome: Outcome) -> Any:
    """What was found, one row a figure."""
    from rich.table import Table

    rows: list[tuple[str, str]] = [("radio", f"{outcome.name} (serial {outcome.serial})")]
    if outcome.clocks is not None:
        clocks = outcome.clocks
        rows.append(("frequency error", f"{clocks.error_ppm:+.3f} ppm against the reference"))
        xo_hz = outcome.sections()["frequency"].get("xo_correction")
        if xo_hz is not None:
            rows.append(("xo_correction", f"{xo_hz:.0f} Hz"))
        drift = "" if outcome.drift_ppm is None else f", by drift {outcome.drift_ppm:+.3f} ppm"
        rows.append(("sample-rate error", f"{clocks.rate_error_ppm:+.3f} ppm{drift}"))
    elif outcome.drift_ppm is not None:
        rows.append(("sample-rate error", f"{outcome.drift_ppm:+.3f} ppm by drift"))
    if outcome.best is not None:
        best = outcome.best
        rows.append(("gains", f"tx {best.tx_db:g} dB, rx {best.rx_db:g} dB"))
        rows.append(("SNR of a tone", f"{best.snr_db:.1f} dB, peak {best.peak_dbfs:.1f} dBFS"))
    for side, mixer in (("rx", outcome.rx), ("tx", outcome.tx)):
        if mixer is not None:
            found = mixer.found
            rows += [
                (
                    f"{side} mixer",
                    f"{20 * _log10(found.amplitude):+.2f} dB, "
                    f"{found.phase_rad * 57.29578:+.2f} deg",
                ),
                (
                    f"{side} image",
                    f"{found.image_dbc:.1f} dBc, corrected {mixer.corrected_image_dbc:.1f} dBc",
                ),
                (
                    f"{side} DC",
                    f"{20 * _log10(abs(found.offset)):.1f} dBFS, "
                    f"corrected {mixer.corrected_offset_dbfs:.1f} dBFS",
                ),
            ]
    if outcome.way is not None:
        way = outcome.way
        micro = way.samples / way.rate_hz * 1e6
        rows.append(("delay", f"{way.samples:.3f} samples at {way.rate_hz:g} S/s, {micro:.3f} us"))
    if outcome.floor is not None:
        floor = outcome.floor
        rows.append(
            ("noise floor", f"{floor.floor_dbfs:.1f} dBFS, nominally {floor.floor_dbm:.1f} dBm")
        )
    result = Table(show_header=False, box=None)
    for row in rows:
        result.add_row(*row)
    return result


def _log10(value: float) -> float:
    import math

    return math.log10(max(value, 1e-6))
