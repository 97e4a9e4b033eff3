# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several subcommands share."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path

from host.cli.parser import add_field, positive
from host.service.__main__ import THREADS_MAX, default_threads
from semcom_blocks.errors import ConfigError


def add_source(parser: argparse.ArgumentParser) -> None:
    """What is sent."""
    parser.add_argument(
        "image",
        nargs="?",
        default=argparse.SUPPRESS,
        metavar="IMAGE",
        help="a JPEG, PNG or WebP file, a photo that scikit-image ships: astronaut, chelsea, "
        "coffee, rocket, retina, …, or 'scene': one drawn from the seed (default: chelsea)",
    )
    parser.add_argument(
        "--prompt",
        default=argparse.SUPPRESS,
        metavar="TEXT",
        help="text that must arrive exactly, up to 64 KiB of UTF-8 (default: the photo's caption)",
    )
    add_field(parser, "--rate", "codec.rate", "complex symbols per source value, k/n")


def add_generation(parser: argparse.ArgumentParser) -> None:
    """What is sent instead of the whole picture, and how the receiver draws from it."""
    group = parser.add_argument_group("generation")
    flags = {
        "--generate": ("enabled", "draw the picture at the receiver, from prompt and edge map"),
        "--prompt-only": ("prompt_only", "… from the prompt alone"),
        "--edges": ("edges", "… from the edge map too (what --generate alone does)"),
        "--coarse": ("coarse", "… from a coarse picture too, sent by JSCC at --rate"),
    }
    for flag, (name, text) in flags.items():
        group.add_argument(flag, dest=f"ask.{name}", action="store_true", default=False, help=text)
    add_field(group, "--steps", "generation.steps", "of the sampler", default="the generator's")
    add_field(
        group, "--guidance", "generation.guidance", "by the prompt", default="the generator's"
    )
    add_field(group, "--strength", "generation.strength", "how much of a coarse picture is redrawn")
    add_field(
        group,
        "--edge-bits-per-symbol",
        "generation.edge_bits_per_symbol",
        "modulation of the edge stream: 1 BPSK, 2 QPSK, 4 16-QAM, …",
    )
    add_field(group, "--scene-size", "generation.scene_size", "side of a scene in pixels")
    add_field(group, "--generator", "models.generator", "embedded, hf:ORG/NAME or hf:FOLDER")
    add_field(
        group, "--control", "models.control", "ControlNet of an hf: generator", default="none"
    )
    add_field(group, "--captioner", "models.captioner", "embedded, hf:ORG/NAME or hf:FOLDER")


def generation_overrides(args: argparse.Namespace) -> dict[str, bool]:
    """The streams that the flags of :func:`add_generation` ask for, by dotted name."""
    asked = {key.removeprefix("ask."): on for key, on in vars(args).items() if key[:4] == "ask."}
    if not any(asked.values()):
        return {}
    if asked["prompt_only"] and (asked["edges"] or asked["coarse"]):
        raise ConfigError("--prompt-only with --edges or --coarse, permitted: one or the other")
    plain = not (asked["prompt_only"] or asked["coarse"])
    return {
        "generation.enabled": True,
        "generation.edges": asked["edges"] or plain,
        "generation.coarse": asked["coarse"],
    }


def add_channel(parser: argparse.ArgumentParser, snr_help: str) -> None:
    """The software channel between simulated radios."""
    group = parser.add_argument_group("software channel")
    add_field(group, "--snr-db", "channel.snr_db", snr_help)
    add_field(group, "--channel", "channel.model", "fading; none leaves the samples as sent")
    add_field(group, "--cfo-hz", "channel.cfo_hz", "carrier frequency offset in Hz")
    add_field(group, "--sro-ppm", "channel.sro_ppm", "sampling rate offset in ppm")
    add_field(
        group, "--delay-spread-s", "channel.delay_spread_s", "RMS delay spread of multipath in s"
    )
    add_field(group, "--seed", "seed", "of everything random in the run")


def add_recording(parser: argparse.ArgumentParser, what: str) -> None:
    """Keep what is on the air; ``what`` says whose samples."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    group = parser.add_argument_group("recording")
    group.add_argument(
        "--record",
        dest="recording.path",
        nargs="?",
        const=f"out/recordings/{stamp}",
        default=argparse.SUPPRESS,
        metavar="PATH",
        help=f"keep {what} as PATH.sigmf-data and PATH.sigmf-meta with a note for each frame; "
        "never over another one (without PATH: out/recordings/TIME)",
    )
    add_field(group, "--record-max-mb", "recording.max_mb", "size at which it ends, in MB")


def add_receiver(parser: argparse.ArgumentParser) -> None:
    """How the receiver works."""
    add_field(parser, "--estimator", "radio.estimator", "channel estimator")
    add_field(parser, "--equalizer", "radio.equalizer", "equaliser")


def add_link(parser: argparse.ArgumentParser) -> None:
    """How prompt packets are protected."""
    add_field(
        parser,
        "--feedback",
        "link.feedback",
        "way of the acknowledgements: beside the air, through it, or none, which repeats blindly",
    )
    add_field(parser, "--repeats", "link.repeats", "sends of each packet without feedback")


def add_level(parser: argparse.ArgumentParser) -> None:
    """How strong the transmitter is."""
    add_field(
        parser,
        "--papr-limit-db",
        "level.papr_limit_db",
        "clip and filter peaks above this ratio to the mean power in dB",
    )


def add_front(parser: argparse.ArgumentParser, *sides: str) -> None:
    """How a Pluto or USRP is tuned; ``sides``: ``tx``, ``rx`` or both."""
    group = parser.add_argument_group("pluto and usrp")
    add_field(group, "--sample-rate-hz", "radio.sample_rate_hz", "sample rate in Hz")
    add_field(group, "--center-freq-hz", "radio.center_freq_hz", "carrier frequency in Hz")
    add_field(
        group, "--return-freq-hz", "radio.return_freq_hz", "carrier of acknowledgements on the air"
    )
    add_field(
        group,
        "--bandwidth-hz",
        "radio.bandwidth_hz",
        "of the analog filters",
        default="the sample rate",
    )
    add_field(
        group,
        "--lo-offset-hz",
        "radio.lo_offset_hz",
        "distance of the oscillators from the carrier, taken back in the samples",
    )
    if "tx" in sides:
        add_field(
            group,
            "--tx-gain-db",
            "radio.tx_gain_db",
            "as the driver counts: Pluto 0 down to -89.75, USRP 0 upwards",
            default="of the profile or the kind",
        )
        add_field(
            group,
            "--drive-dbfs",
            "radio.drive_dbfs",
            "mean power at the converter below full scale",
        )
        add_field(
            group, "--tx-antenna", "radio.tx_antenna", "transmit port", default="the driver's"
        )
        group.add_argument(
            "--cyclic",
            dest="radio.cyclic",
            action="store_true",
            default=argparse.SUPPRESS,
            help="hand the job over once and let the radio repeat it; without acknowledgements",
        )
        add_field(group, "--cyclic-s", "radio.cyclic_s", "how long it repeats in s")
    if "rx" in sides:
        add_field(
            group,
            "--rx-gain-db",
            "radio.rx_gain_db",
            "as the driver counts",
            default="of the profile or the kind",
        )
        add_field(group, "--rx-antenna", "radio.rx_antenna", "receive port", default="the driver's")
    add_field(
        group, "--buffer-samples", "radio.buffer_samples", "of a libiio buffer", default="by rate"
    )
    add_field(
        group,
        "--profile",
        "radio.profile",
        "calibration profile, folder of profiles by serial number, or none",
        default="calibration/profiles",
    )


def add_air(parser: argparse.ArgumentParser) -> None:
    """The virtual radios that a bare ``pluto`` or ``usrp`` stands for."""
    group = parser.add_argument_group("virtual radios")
    add_field(
        group, "--clock-ppm", "radio.clock_ppm", "error of the sender's crystal, and as much back"
    )
    add_field(group, "--air-clock", "radio.air_clock", "virtual loses nothing on a busy machine")


def add_network(parser: argparse.ArgumentParser, *flags: str) -> None:
    """Addresses and ports.

    ``flags`` picks from ``peer bind source sink feedback samples return picture``.
    """
    group = parser.add_argument_group("network")
    fields = {
        "peer": ("--peer", "network.peer", "machine of the receiving radio"),
        "bind": ("--bind", "network.bind", "address for samples and feedback; 0.0.0.0 for all"),
        "source": ("--source-port", "network.source_port", "of the Semantic Source"),
        "sink": ("--sink-port", "network.sink_port", "of the Semantic Sink"),
        "feedback": ("--feedback-port", "network.feedback_port", "of the acknowledgements"),
        "samples": ("--samples-port", "network.samples_port", "of the simulated air"),
        "return": ("--return-port", "network.return_port", "of the simulated air's way back"),
        "picture": ("--picture-port", "network.picture_port", "of the Picture Source (--attach)"),
    }
    for flag in flags:
        add_field(group, *fields[flag])


def add_attach(parser: argparse.ArgumentParser, ends: str) -> None:
    """Use a flowgraph instead of radios of our own; ``ends`` names the blocks to talk to."""
    parser.add_argument(
        "--attach",
        action="store_true",
        help="start no radio: use a flowgraph that runs already, for example in GNU Radio "
        f"Companion, with its {ends} on the ports above",
    )


def add_common(parser: argparse.ArgumentParser) -> None:
    """Experiment file, host service, logs."""
    group = parser.add_argument_group("run")
    group.add_argument(
        "--config",
        type=Path,
        default=None,
        metavar="FILE.toml",
        help="experiment file; options on the command line win over it",
    )
    group.add_argument(
        "--host",
        default=None,
        metavar="tcp://ADDRESS:PORT",
        help="use this running host service instead of starting one",
    )
    group.add_argument(
        "--threads",
        type=positive(1, THREADS_MAX, int),
        default=default_threads(),
        metavar="N",
        help="processors for the models",
    )
    group.add_argument(
        "--log-dir",
        type=Path,
        default=None,
        metavar="DIR",
        help="keep the processes' logs here; otherwise they are dropped at the end",
    )
    group.add_argument(
        "--json", action="store_true", help="print the report as JSON instead of a table"
    )
