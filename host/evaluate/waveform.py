# SPDX-License-Identifier: GPL-3.0-or-later
"""What the transmitter's choices do to a picture: ``./semcom eval waveform``.

Interleaver of the stream, precoding of its frames and clipping of their peaks, each alone and some
together, on the codec's symbols of photos and by the radios' own signal processing:

    codec → spread → frames → (precoding) → OFDM → (clipping) → channel → receiver → gather → codec

Envelope and spectrum are those of the payload.  PSNR at equal mean power, in white noise, with a
three-tap Rayleigh channel drawn for each frame, and with each frame lost in turn; and with a
transmitter whose *peaks* are limited: a 12-bit converter driven so that one sample in a thousand
exceeds its full scale, and noise of fixed power behind it.  There a lower PAPR buys mean power.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from host.bench.link import air, paths
from host.evaluate import output
from semcom_blocks.channel.quantizer import Quantizer
from semcom_blocks.errors import require_choice, require_range
from semcom_blocks.phy import measure
from semcom_blocks.phy.framer import DEFAULT_ANALOG_PER_FRAME
from semcom_blocks.phy.interleave import INTERLEAVERS, gather, spread
from semcom_blocks.phy.modulator import TransmitLevel
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import preamble_len
from semcom_blocks.phy.receiver import receive

Record = dict[str, Any]

PHOTOS = ("chelsea", "astronaut", "coffee", "rocket")
FADING = "rayleigh-3-tap"
FADES = 3  # realisations, each of them one channel a frame
CCDF = 1e-3  # at which the PAPR is read, and up to which the converter saturates
DAC_BITS, FULL_SCALE = 12, 1.0
LEVELS_DB = np.arange(0.0, 16.01, 0.25)  # of the distribution's curve
SNR_RANGE_DB = (-10.0, 40.0)
PACKET_BYTES, PACKETS = 250, 40  # of the row for packets alone
NUMEROLOGY = Numerology()


@dataclass(frozen=True)
class Setting:
    """What the transmitter does; names as in ``link`` and ``level`` of an experiment."""

    interleaver: str = "golden"
    precoding: str = "none"
    papr_limit_db: float | None = None

    @property
    def name(self) -> str:
        """Precoding and clipping."""
        clip = "" if self.papr_limit_db is None else f"clip {self.papr_limit_db:g} dB"
        plain = self.precoding == "none"
        return clip or "none" if plain else f"{self.precoding}, {clip}" if clip else self.precoding


#: Of the interleavers each with and without precoding, of the measures against peaks each alone.
SETTINGS = (
    *(Setting(order, mixed) for mixed in ("none", "frame") for order in INTERLEAVERS),
    Setting(precoding="dft"),
    *(Setting(precoding=mixed, papr_limit_db=limit) for mixed in ("none", "frame")
      for limit in (6.0, 4.0)),
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval waveform``."""
    add = parser.add_argument
    add("--image", action="append", metavar="IMAGE",
        help=f"photo, may be repeated (default: {', '.join(PHOTOS)})")  # fmt: skip
    add("--rate", default="1/12", help="of the codec, k/n (default: %(default)s)")
    add("--snr-db", type=float, default=10.0, help="Es/N0 at equal mean power (default: 10)")
    add("--full-scale-snr-db", type=float, default=20.0,
        help="Es/N0 of a signal whose mean power is the converter's full scale "
        "(default: %(default)g)")  # fmt: skip
    add("--seed", type=int, default=1, help="of noise and fading (default: %(default)s)")
    add("--json", metavar="FILE", help="write all rows there (default: not written)")
    add("--plot", metavar="FILE", help="draw them there as PNG (default: not drawn)")


@dataclass(frozen=True)
class Picture:
    """A photo uint8 (H,W,3) on the air: its symbols complex64 (k,), what describes them."""

    pixels: NDArray[np.uint8]
    symbols: NDArray[np.complex64]
    descriptor: Record
    frames: list[air.Sent]


def built(
    codec: Any,
    pixels: NDArray[np.uint8],
    rate: str,
    snr_db: float,
    how: Setting,
    fading: bool = False,
) -> Picture:
    """Encode for an SNR and make the frames that a transmitter would send."""
    symbols, descriptor = codec.encode(pixels, rate, snr_db, fading)
    level = TransmitLevel(papr_limit_db=how.papr_limit_db)
    pieces = np.array_split(
        spread(symbols, how.interleaver), -(-len(symbols) // DEFAULT_ANALOG_PER_FRAME)
    )
    frames = [
        air.build(NUMEROLOGY, piece, seq=seq, level=level, precoding=how.precoding)
        for seq, piece in enumerate(pieces)
    ]
    return Picture(pixels, symbols, descriptor, frames)


def payload(frames: Sequence[air.Sent]) -> NDArray[np.complex64]:
    """Samples of the payload's symbols, one frame after another."""
    num = NUMEROLOGY
    return np.concatenate(
        [f.samples[preamble_len(num) + f.layout.n_header * num.symbol_len :] for f in frames]
    )


def carrier_power_db(frames: Sequence[air.Sent]) -> NDArray[np.float64]:
    """Mean power of each data carrier, (n_data,), in dB over that of all."""
    power = np.concatenate([np.abs(f.grid[f.layout.data_cells]) ** 2 for f in frames]).mean(axis=0)
    return 10 * np.log10(power / power.mean())


def heard(
    frames: Sequence[air.Sent], channel: str, snr_db: float, key: Sequence[int]
) -> list[tuple[NDArray[np.complex64], NDArray[np.float32]]]:
    """Symbols and error variances of each frame behind the receiver; lost ones are erasures.

    Equal keys meet the same fading and noise.
    """
    found = []
    for index, sent in enumerate(frames):
        rng = np.random.default_rng([*key, index])
        path = paths.draw(channel, NUMEROLOGY, rng)
        capture = air.find(air.send(sent, path, rng, snr_db=snr_db), sent)
        found.append(erased(sent) if capture is None else _payload(capture))
    return found


def _payload(capture: Any) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    got = receive(capture, NUMEROLOGY).payload
    return got.analog, got.noise_var


def erased(sent: air.Sent) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    """What is known of the symbols of a frame that did not arrive."""
    return np.zeros_like(sent.analog), np.full(len(sent.analog), np.inf, np.float32)


def psnr(codec: Any, picture: Picture, pieces: Sequence[Any], how: Setting) -> float:
    """PSNR in dB of what the codec makes of the frames' symbols."""
    from host.metrics import psnr_db

    symbols, noise_var = (
        gather(np.concatenate(parts), how.interleaver) for parts in zip(*pieces, strict=True)
    )
    return psnr_db(picture.pixels, codec.decode(symbols, noise_var, picture.descriptor))


def driven(frames: Sequence[air.Sent], papr_db: float) -> list[air.Sent]:
    """The frames behind a converter whose full scale is ``papr_db`` over their mean power."""
    gain = np.float32(10 ** (-papr_db / 20) * FULL_SCALE)
    converter = Quantizer(DAC_BITS, FULL_SCALE)
    return [replace(sent, samples=converter.process(sent.samples * gain)) for sent in frames]


def row_of(
    codec: Any, pixels: NDArray[np.uint8], how: Setting, args: argparse.Namespace, number: int
) -> Record:
    """All figures of one photo, ``number`` of the photos, sent in one way."""
    picture = built(codec, pixels, args.rate, args.snr_db, how)
    samples = payload(picture.frames)
    papr_db, power = measure.papr_db(samples, CCDF), np.abs(samples) ** 2
    carriers_db = carrier_power_db(picture.frames)
    levels = power.mean() * 10 ** (LEVELS_DB / 10)
    row: Record = {
        "papr_db": papr_db,
        "peak_db": measure.to_db(power.max() / power.mean()),
        "tilt_db": float(np.ptp(carriers_db)),
    }
    quiet = heard(picture.frames, "awgn", args.snr_db, (args.seed, number, 0))
    row["psnr_db"] = psnr(codec, picture, quiet, how)
    keys = [(args.seed, number, draw) for draw in range(1, 1 + FADES)]
    patient = built(codec, pixels, args.rate, args.snr_db, how, fading=True)
    faded = (heard(patient.frames, FADING, args.snr_db, key) for key in keys)
    row["fading_psnr_db"] = float(np.mean([psnr(codec, patient, p, how) for p in faded]))
    if how.papr_limit_db is None and how.precoding != "dft":
        lost, whole = [], heard(patient.frames, "awgn", args.snr_db, (args.seed, number, 0))
        for index, sent in enumerate(patient.frames):
            lost.append(
                psnr(codec, patient, [*whole[:index], erased(sent), *whole[index + 1 :]], how)
            )
        row |= {"lost_psnr_db": float(np.mean(lost)), "lost_worst_psnr_db": min(lost)}
    # The symbols, and so their peaks, depend a little on the SNR that they are made for.
    row["limited_snr_db"] = args.full_scale_snr_db - papr_db
    limited = built(codec, pixels, args.rate, row["limited_snr_db"], how)
    key = (args.seed, number, 1 + FADES)
    pieces = heard(driven(limited.frames, papr_db), "awgn", args.full_scale_snr_db, key)
    row["limited_psnr_db"] = psnr(codec, limited, pieces, how)
    row = {name: round(value, 3) for name, value in row.items()}
    row["ccdf"] = [round(float(np.mean(power > level)), 6) for level in levels]
    return row | {"carrier_power_db": carriers_db.round(2).tolist()}


def packets(how: Setting, rng: np.random.Generator) -> Record:
    """Peaks of frames that hold a QPSK-coded packet alone."""
    level = TransmitLevel(papr_limit_db=how.papr_limit_db)
    nothing = np.zeros(0, np.complex64)
    precoding = "dft" if how.precoding == "dft" else "none"  # the framer mixes no packets
    frames = [
        air.build(NUMEROLOGY, nothing, rng.bytes(PACKET_BYTES), level=level, precoding=precoding)
        for _ in range(PACKETS)
    ]
    return {"packet_papr_db": round(measure.papr_db(payload(frames), CCDF), 3)}


COLUMNS = {
    "packet_papr_db": "PAPR, packets",
    "papr_db": "PAPR, photos",
    "peak_db": "highest peak",
    "tilt_db": "carriers, range",
    "psnr_db": "AWGN",
    "fading_psnr_db": "fading",
    "lost_psnr_db": "frame lost",
    "lost_worst_psnr_db": "worst frame",
    "limited_snr_db": "SNR, peak-limited",
    "limited_psnr_db": "PSNR, peak-limited",
}


def means(rows: Sequence[Record]) -> list[Record]:
    """A row for each setting: means over the photos, the worst of what is called so."""
    found = []
    for how in SETTINGS:
        own = [r for r in rows if (r["interleaver"], r["setting"]) == (how.interleaver, how.name)]
        mean = {
            key: round(float(np.mean([row[key] for row in own])), 2)
            for key in COLUMNS
            if own and key in own[0]
        }
        found.append({"interleaver": how.interleaver, "setting": how.name, **mean})
    return found


def markdown(rows: Sequence[Record]) -> str:
    """The means as the documentation has them."""
    lines = ["| interleaver | precoding, clipping | " + " | ".join(COLUMNS.values()) + " |"]
    lines.append("|---|---|" + "--:|" * len(COLUMNS))
    for row in rows:
        cells = (f"{row[key]:.1f}" if key in row else "" for key in COLUMNS)
        lines.append(f"| {row['interleaver']} | {row['setting']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def document(head: Record, rows: Sequence[Record]) -> str:
    """JSON of ``head`` and the rows, a line each."""
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    return f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n'


def run(args: argparse.Namespace) -> int:
    """Measure every setting on every photo, print the means, store and draw; raises SemcomError."""
    from host.images import load_image
    from models.image_codec import ImageCodec
    from models.rates import RATES
    from models.weights_io import write_atomic

    require_choice("rate", args.rate, RATES)
    for name in ("snr_db", "full_scale_snr_db"):
        require_range(name.replace("_", "-"), getattr(args, name), *SNR_RANGE_DB)
    output.prepare(args)
    photos = {name: load_image(name).pixels for name in args.image or PHOTOS}
    codec = ImageCodec.load()
    alone = {how: packets(how, np.random.default_rng(args.seed)) for how in SETTINGS}
    points = [(how, name) for how in SETTINGS for name in photos]
    rows = []
    for how, name in track(points, description="photos"):
        row = row_of(codec, photos[name], how, args, list(photos).index(name))
        about = {"image": name, "interleaver": how.interleaver, "setting": how.name}
        rows.append(about | alone[how] | row)
    Console().print(markdown(means(rows)), highlight=False, soft_wrap=True)
    if args.json:
        head = {
            "codec": codec.name, "rate": args.rate, "snr_db": args.snr_db, "seed": args.seed,
            "full_scale_snr_db": args.full_scale_snr_db, "levels_db": LEVELS_DB.tolist(),
            "means": means(rows),
        }  # fmt: skip
        write_atomic(Path(args.json), document(head, rows).encode())
    if args.plot:
        from host.evaluate.waveform_plots import curves

        write_atomic(Path(args.plot), curves(rows, LEVELS_DB.tolist()))
    return 0
