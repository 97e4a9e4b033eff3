# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several subcommands share."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path

from host.cli.parser import add_field, overrides, positive
from host.config import RunConfig, load_run
from host.scenes import SCENE
from host.service.__main__ import THREADS_MAX, default_threads
from models.tiers import EMBEDDED, RECEIVERS
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
    add_field(
        parser,
        "--rate",
        "codec.rate",
        "complex symbols per source value, k/n",
        default="1/6; 1/24 with --coarse",
    )
    add_field(
        parser,
        "--fading",
        "codec.fading",
        "whether the SNR differs from frame to frame, or frames are lost; auto: as the channel "
        "that is simulated, yes between radios",
    )


def add_generation(parser: argparse.ArgumentParser, *sides: str) -> None:
    """Meaning instead of the whole picture; ``sides``: ``tx`` (takes apart), ``rx`` (draws)."""
    group = parser.add_argument_group("generation")

    def flag(name: str, text: str) -> None:
        group.add_argument(
            f"--{name.replace('_', '-')}", dest=f"ask.{name}", action="store_true", help=text
        )

    if "tx" not in sides:
        flag("generate", "draw the picture from what arrives: prompt, edge map, coarse picture, …")
    else:
        draw = "draw the picture at the receiver, from" if "rx" in sides else "send for a receiver"
        flag(
            "generate", f"{draw} what suits picture and --generator: of a scene prompt and edge map"
        )
        flag("prompt_only", "… the prompt alone")
        flag("edges", "… prompt and edge map")
        flag("coarse", "… prompt and a coarse picture, sent by JSCC at --rate")
        flag("latents", "… prompt and analog latents, for a generator that completes them")
        add_field(group, "--latent-share", "generation.latent_share", "of the latents that is sent")
        flag("pack_caption", "send a scene's caption in few bytes, by the digits of its grammar")
        add_field(
            group,
            "--edge-bits-per-symbol",
            "generation.edge_bits_per_symbol",
            "modulation of the edge stream: 1 BPSK, 2 QPSK, 4 16-QAM, …",
        )
        add_field(group, "--captioner", "models.captioner", "embedded, hf:ORG/NAME or hf:FOLDER")
    add_field(
        group,
        "--scene-size",
        "generation.scene_size",
        "side in pixels of a scene that is " + ("made" if "tx" in sides else "drawn from words"),
    )
    if "rx" in sides:
        own = "the generator's"
        add_field(group, "--steps", "generation.steps", "of the sampler", default=own)
        add_field(group, "--guidance", "generation.guidance", "by the prompt", default=own)
        add_field(
            group,
            "--strength",
            "generation.strength",
            "how much of a coarse picture or of latents is redrawn",
        )
        add_field(group, "--edge-scale", "generation.edge_scale", "weight of the edge map")
    add_field(
        group,
        "--generator",
        "models.generator",
        "embedded; a receiver of latents embedded:vae, :nflow, :gan, :diffusion or :plain; "
        "hf:ORG/NAME or hf:FOLDER",
    )
    if "rx" in sides:
        add_field(
            group, "--control", "models.control", "ControlNet of an hf: generator", default="none"
        )
    add_field(group, "--latent-codec", "models.latents", "embedded, hf:ORG/NAME or hf:FOLDER")


STREAM_FLAGS = ("edges", "coarse", "latents")


def add_allocation(parser: argparse.ArgumentParser, *, sounds: bool = True) -> None:
    """Streams in bands of their own; a command that hears both ends ``sounds`` the channel."""
    knows = "sound the channel, then" if sounds else "with what suits a channel nobody knows,"
    group = parser.add_argument_group("allocation")
    group.add_argument(
        "--streams",
        type=_streams,
        default=None,
        metavar="NAME,NAME",
        help="what is sent, the prompt and any of edges, coarse, latents: prompt,edges",
    )
    group.add_argument(
        "--adapt",
        dest="allocation.adapt",
        action="store_true",
        default=argparse.SUPPRESS,
        help=f"{knows} give prompt and edges bands of their own: carriers, power and modulation "
        "chosen by what each has to bear",
    )
    add_field(group, "--edge-ber", "allocation.edge_ber", "wrong bits that the edge map bears")
    add_field(
        group,
        "--edge-modulation",
        "allocation.edge_order",
        "order of the edge map's modulation, whatever the channel; 0: QPSK, with --adapt the best",
    )
    add_field(group, "--margin-db", "allocation.margin_db", "SNR kept in hand in dB")


def _streams(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    known = ("prompt", *STREAM_FLAGS)
    if "prompt" not in names or len(set(names)) < len(names) or not set(names) <= set(known):
        raise argparse.ArgumentTypeError(
            f"streams are {text!a}, permitted: prompt and any of {', '.join(STREAM_FLAGS)}"
        )
    return names


def allocation_overrides(args: argparse.Namespace) -> dict[str, object]:
    """What the options of :func:`add_allocation` mean for other fields, by dotted name."""
    found: dict[str, object] = {}
    if args.streams is not None:
        found = {f"generation.{name}": name in args.streams for name in STREAM_FLAGS}
        found["generation.enabled"] = True
    order = getattr(args, "allocation.edge_order", 0)
    if order:
        found["generation.edge_bits_per_symbol"] = order.bit_length() - 1
    return found


def _suited(run: RunConfig) -> str:
    """The stream that this generator draws this picture from, if nobody says more."""
    if run.models.generator in RECEIVERS:
        return "latents"
    # The embedded generator knows scenes; a photo it refines.
    photo = run.models.generator == EMBEDDED and run.image != SCENE
    return "coarse" if photo else "edges"


def generation_overrides(args: argparse.Namespace) -> dict[str, bool]:
    """What the flags of :func:`add_generation` ask for, by dotted name."""
    asked = {key.removeprefix("ask."): on for key, on in vars(args).items() if key[:4] == "ask."}
    found = {"generation.pack_caption": True} if asked.pop("pack_caption", False) else {}
    if not any(asked.values()):
        return found
    found["generation.enabled"] = True
    if "prompt_only" not in asked:  # who only receives draws from what arrives
        return found
    streams = {name: asked[name] for name in STREAM_FLAGS}
    if asked["prompt_only"] and any(streams.values()):
        raise ConfigError(
            "--prompt-only with --edges, --coarse or --latents, permitted: one or the other"
        )
    if not asked["prompt_only"] and not any(streams.values()):
        streams[_suited(load_run(args.config, overrides(args)))] = True
    return found | {f"generation.{name}": on for name, on in streams.items()}


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
    """How the transmitter orders its symbols, mixes them and limits its peaks."""
    add_field(
        parser,
        "--interleaver",
        "link.interleaver",
        "order in which a stream is cut into frames",
    )
    add_field(
        parser,
        "--precoding",
        "link.precoding",
        "mix the analog symbols of a frame, or the carriers of an OFDM symbol (SC-FDMA)",
    )
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
