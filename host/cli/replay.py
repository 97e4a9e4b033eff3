# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a recording through the receiver again and hold each frame against its first reception.

The recording is a SigMF pair that demo, rx or tx made with --record, received as it was made
unless options say otherwise; or one by other software at --sample-rate-hz.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from host.cli import options
from host.cli.parser import add_field, overrides, positive
from host.cli.rx import TIMEOUT_MAX_S


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "recording",
        type=Path,
        metavar="FILE",
        help="the recording's .sigmf-meta or .sigmf-data, or the name of both",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/replay"),
        metavar="DIR",
        help="folder for received.png, prompt.txt, report.json and report.png; "
        "with more than one job a folder job-NNNN for each in it",
    )
    parser.add_argument(
        "--timeout-s",
        type=positive(0.1, TIMEOUT_MAX_S),
        default=120.0,
        metavar="S",
        help="longest wait for the next job in seconds",
    )
    options.add_generation(parser, "rx")
    options.add_receiver(parser)
    add_field(
        parser,
        "--sample-rate-hz",
        "radio.sample_rate_hz",
        "sample rate in Hz that the recording must have",
        default="the recording's own if it is one of semcom's",
    )
    options.add_network(parser, "sink")
    options.add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Replay; 0 if every job in it came whole."""
    from host.cli.checks import check_run
    from host.cli.display import Display, say, show_replay, show_report
    from host.config import load_run
    from host.config.models import RADIO_FILE_PREFIX
    from host.pipeline.demo import on_free_ports
    from host.pipeline.receive import run_receive
    from host.pipeline.recordings import Recorded
    from host.pipeline.replay import compare
    from host.report.files import output_folder
    from host.report.write import import_early, write_report
    from semcom_blocks.phy.numerology import Numerology

    recorded = Recorded.read(args.recording)
    path = str(recorded.pair.data).removesuffix(".sigmf-data")
    chosen = {k: v for k, v in overrides(args).items() if not k.startswith("recording")}
    chosen |= options.generation_overrides(args)
    fixed = {"radio.spec": RADIO_FILE_PREFIX + path, "link.feedback": "none"}
    given = load_run(args.config, chosen | fixed, recorded.defaults())
    recorded.pair.check_meta(given.radio.sample_rate_hz)
    run_config = check_run(on_free_ports(given), host=args.host)
    sizes = run_config.numerology.model_dump()
    numerology = Numerology(**sizes, sample_rate_hz=run_config.radio.sample_rate_hz)
    failure = None
    with Display() as display, output_folder(args.out) as out:
        import_early()
        jobs = run_receive(
            run_config,
            display,
            count=0,
            timeout_s=args.timeout_s,
            host_endpoint=args.host,
            threads=args.threads,
            log_dir=args.log_dir,
        )
        single = len(recorded.jobs()) <= 1
        for number, outcome in enumerate(jobs, start=1):
            outcome.replay = compare(recorded.frames, outcome.frames, outcome.job_id, numerology)
            place = out if single and number == 1 else out / f"job-{number:04d}"
            with output_folder(place) as folder:
                report = write_report(outcome, folder)
            show_report(report, args.json)
            if not args.json:
                show_replay(report["replay"])
                say(f"\nreport: {folder / 'report.png'}, {folder / 'report.json'}")
            failure = failure or outcome.failure()
    if failure is not None:
        raise failure
    return 0
