# SPDX-License-Identifier: GPL-3.0-or-later
"""Receive photos and prompts by one radio and write each into a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from host.cli import options
from host.cli.parser import add_field, overrides, positive

TIMEOUT_MAX_S = 7 * 86400.0
COUNT_MAX = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_field(parser, "--radio", "radio.spec", "sim, file:PATH, pluto:URI or usrp:ARGS")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/rx"),
        metavar="DIR",
        help="folder for received.png, prompt.txt, report.json and report.png; "
        "with a --count other than 1 a folder job-NNNN for each job in it",
    )
    parser.add_argument(
        "--count",
        type=positive(0, COUNT_MAX, int),
        default=1,
        metavar="N",
        help="jobs to receive, 0 for no end",
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
    options.add_recording(parser, "what the radio gave")
    options.add_link(parser)
    options.add_front(parser, "rx")
    options.add_network(parser, "bind", "sink", "feedback", "samples", "return", "picture")
    options.add_common(parser)
    options.add_attach(parser, "Semantic Sink")


def run(args: argparse.Namespace) -> int:
    """Receive; 0 if all jobs came and their prompts are whole."""
    from host.cli.checks import check_run
    from host.cli.display import Display, say, show_recordings, show_report
    from host.config import load_run
    from host.pipeline.receive import run_receive
    from host.pipeline.recordings import place
    from host.report.files import output_folder
    from host.report.write import import_early, write_report

    loaded = load_run(args.config, overrides(args) | options.generation_overrides(args))
    run_config = place(check_run(loaded, host=args.host, radios=not args.attach))
    failure = None
    with Display() as display, output_folder(args.out) as out:
        import_early()
        jobs = run_receive(
            run_config,
            display,
            count=args.count,
            timeout_s=args.timeout_s,
            attach=args.attach,
            host_endpoint=args.host,
            threads=args.threads,
            log_dir=args.log_dir,
        )
        for number, outcome in enumerate(jobs, start=1):
            with output_folder(out if args.count == 1 else out / f"job-{number:04d}") as folder:
                report = write_report(outcome, folder)
            show_report(report, args.json)
            if not args.json:
                say(f"\nreport: {folder / 'report.png'}, {folder / 'report.json'}")
            failure = failure or outcome.failure()
    if not args.json:
        show_recordings(run_config)
    if failure is not None:
        raise failure
    return 0
