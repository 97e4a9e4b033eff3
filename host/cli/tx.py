# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a photo and its prompt by one radio, until it is delivered or given up.

With --generate, --prompt-only, --edges, --coarse or --latents meaning is sent instead of the
picture, from which `semcom rx --generate` draws one.

With --radio sim the receiver is `semcom rx --radio sim`, here or on --peer; with
--radio file:PATH every sample goes to a SigMF pair PATH.sigmf-data and PATH.sigmf-meta.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path

from host.cli import options
from host.cli.parser import add_field, overrides
from host.config import RunConfig, load_run
from host.config.models import DEVICE_DEFAULTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_source(parser)
    add_field(parser, "--radio", "radio.spec", "sim, file:PATH, pluto:URI or usrp:ARGS")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="folder for report.json"
    )
    options.add_allocation(parser, sounds=False)
    options.add_generation(parser, "tx")
    options.add_link(parser)
    options.add_level(parser)
    options.add_recording(parser, "what the radio was given")
    options.add_front(parser, "tx")
    options.add_channel(
        parser,
        "Es/N0 in dB that the encoder prepares for and the software channel, if any, gives;",
    )
    options.add_network(parser, "peer", "source", "feedback", "samples", "return")
    options.add_common(parser)
    options.add_attach(parser, "Semantic Source")


def resolve(args: argparse.Namespace) -> RunConfig:
    """The run, where not asked otherwise.

    Only the simulated air has a software channel, and into a file nobody answers.
    """
    given = overrides(args) | options.generation_overrides(args)
    given |= options.allocation_overrides(args)
    defaults = {"recording.side": "tx"}
    run = load_run(args.config, given, defaults)
    # A flowgraph has its own channel, which this command knows only if told.
    unknown = args.attach and not {"channel.model", "channel.snr_db"} & set(given)
    if unknown or not (args.attach or run.radio.is_sim):
        defaults["channel.model"] = "none"
    if run.radio.is_hardware:
        defaults |= DEVICE_DEFAULTS
    if run.radio.kind == "file" or run.radio.cyclic:
        defaults["link.feedback"] = "none"
    if run.radio.cyclic:
        defaults["link.repeats"] = 1
    return load_run(args.config, given, defaults)


def run(args: argparse.Namespace) -> int:
    """Send; 0 if delivered, or if all is sent and no feedback was asked for."""
    from host.cli.checks import check_run
    from host.cli.display import Display, show_recordings, show_report
    from host.cli.source import load_source
    from host.pipeline.recordings import place
    from host.pipeline.send import run_send
    from host.report.document import build
    from host.report.files import output_folder
    from host.report.write import write_report

    run_config = check_run(resolve(args), host=args.host, radios=not args.attach)
    folder = nullcontext() if args.out is None else output_folder(args.out)
    with Display() as display:
        original, prompt = load_source(run_config, display.note)
        run_config = place(run_config)
        with folder as out:
            outcome = run_send(
                run_config,
                original,
                prompt,
                display,
                attach=args.attach,
                host_endpoint=args.host,
                threads=args.threads,
                log_dir=args.log_dir,
            )
            report = build(outcome) if out is None else write_report(outcome, out, page=False)
    show_report(report, args.json)
    if not args.json:
        show_recordings(run_config)
    failure = outcome.failure()
    if failure is not None:
        raise failure
    return 0
