# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a photo and its prompt through the whole link on this machine and show what arrived."""

from __future__ import annotations

import argparse
from pathlib import Path

from host.cli import options
from host.cli.parser import add_field, overrides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_source(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/demo"),
        metavar="DIR",
        help="folder for report.json, report.png, received.png and prompt.txt",
    )
    add_field(
        parser,
        "--radio",
        "radio.spec",
        "sim; pluto or usrp for two virtual ones; pluto:URI or usrp:ARGS for a real one",
    )
    add_field(
        parser,
        "--rx-radio",
        "radio.rx_spec",
        "the receiver's radio, where it is another one than the sender's",
        default="as --radio",
    )
    options.add_allocation(parser)
    options.add_generation(parser, "tx", "rx")
    options.add_channel(parser, "Es/N0 per complex data symbol in dB")
    options.add_receiver(parser)
    options.add_recording(parser, "what the receiver's radio gave")
    options.add_link(parser)
    options.add_level(parser)
    options.add_front(parser, "tx", "rx")
    options.add_air(parser)
    options.add_network(parser, "source", "sink", "picture")
    options.add_common(parser)
    options.add_attach(parser, "Semantic Source and Sink")


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 if prompt and picture arrived."""
    from host.cli.checks import check_run
    from host.cli.display import Display, say, show_recordings, show_report
    from host.cli.source import load_source
    from host.config import load_run
    from host.config.models import DEVICE_DEFAULTS
    from host.pipeline.demo import run_demo
    from host.pipeline.recordings import place
    from host.report.files import output_folder
    from host.report.write import import_early, write_report

    given = overrides(args) | options.generation_overrides(args)
    given |= options.allocation_overrides(args)
    # A flowgraph has its own channel, which this command knows only if told.
    unknown = args.attach and not {"channel.model", "channel.snr_db"} & set(given)
    defaults = {"channel.model": "none"} if unknown else {}
    if load_run(args.config, given, defaults).radio.is_hardware:
        defaults |= DEVICE_DEFAULTS
    run_config = check_run(
        load_run(args.config, given, defaults),
        demo=True,
        host=args.host,
        radios=not args.attach,
    )
    with Display() as display:
        original, prompt = load_source(run_config, display.note)
        run_config = place(run_config)
        with output_folder(args.out) as out:
            import_early()
            outcome = run_demo(
                run_config,
                original,
                prompt,
                display,
                attach=args.attach,
                host_endpoint=args.host,
                threads=args.threads,
                log_dir=args.log_dir,
            )
            display.stage("report")
            report = write_report(outcome, out)
    show_report(report, args.json)
    if not args.json:
        say(f"\nreport: {out / 'report.png'}, {out / 'report.json'}")
        show_recordings(run_config)
    failure = outcome.failure()
    if failure is not None:
        raise failure
    return 0
