# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture quality of the JSCC codec in AWGN: ``./semcom eval jscc --data CIFAR --data PHOTOS
--json F --plot F``.

For every data source: mean over its ``test`` pictures of the PSNR of each picture, for each rate
and SNR, with one model; several models meet the same noise, and the later ones are compared with
the first. CIFAR-10 is compared with PEERS, too. Received pictures are 8-bit, as the codec returns
them. SNR is Es/N0 per complex symbol, the noise variance of a complex symbol is 10^(-SNR/10),
transmitted symbols have unit average power per picture. Pictures of at least 176 pixels a side also
get MS-SSIM (Wang et al. 2003, by torchmetrics), which needs them that large. Noise is seeded per
picture: a table can be repeated.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from host.datasets import SMALL_SIDE, PictureSet, load_pictures
from host.evaluate.output import prepare, write_json
from host.images import load_image
from semcom_blocks.errors import ConfigError, require_range

if TYPE_CHECKING:
    from models.image_codec import ImageCodec

log = logging.getLogger(__name__)

SNRS_DB = (1.0, 4.0, 7.0, 10.0, 13.0, 19.0)  # those of the literature's tables
BUNDLED = "photos"
PHOTOS = ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket")
MS_SSIM_SIDE = 176  # torchmetrics: the side over 16 must exceed the window less 1, 10
#: CIFAR-10, mean PSNR in dB at SNRS_DB: at each the best of five models of 0.15 M parameters, each
#: for one rate and one SNR, of a public PyTorch DeepJSCC (Bourtsoulatze et al. 2019).
PEERS = {
    "1/12": (21.8, 24.6, 26.1, 27.7, 28.8, 30.6),
    "1/6": (23.9, 26.8, 29.0, 30.6, 32.2, 35.0),
}
PEERS_SOURCE = "cifar10"
MSE_FLOOR = 1e-10  # 100 dB for an identical picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval jscc``."""
    add = parser.add_argument
    add(
        "--data",
        action="append",
        metavar="PATH",
        help="folder or zip of pictures (its split 'test' is used), may be repeated; "
        f"{BUNDLED!r}: {len(PHOTOS)} photos of the size of Kodak's, from scikit-image (default)",
    )
    add("--json", metavar="FILE", help="write the tables there as well (default: not written)")
    add("--plot", metavar="FILE", help="draw the curves as PNG there (default: not drawn)")
    add(
        "--name",
        nargs="+",
        default=["jscc-v3"],
        metavar="NAME",
        help="names of the weights (default: jscc-v3)",
    )
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add(
        "--pictures",
        type=int,
        default=1000,
        help=f"at most so many pictures of up to {SMALL_SIDE} pixels a side (default: %(default)s)",
    )
    add("--photos", type=int, default=20, help="at most so many larger ones (default: %(default)s)")
    add("--rates", nargs="+", metavar="K/N", help="rates to measure (default: all)")
    add(
        "--constellation",
        choices=("4", "16", "64", "256", "analog"),
        help="points that symbols are taken from (default: as the weights were trained)",
    )
    add("--seed", type=int, default=1, help="of the noise (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all (default: %(default)s)")


def psnr_db(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """10·log10(255²/MSE) in dB of two uint8 pictures of one shape, at most 100."""
    error = (reference.astype(np.float64) - image) / 255
    return float(-10 * np.log10(max(np.mean(error**2), MSE_FLOOR)))


def ms_ssim(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float | None:
    """MS-SSIM of two uint8 (H,W,3) pictures, None below MS_SSIM_SIDE."""
    if min(reference.shape[:2]) < MS_SSIM_SIDE:
        return None
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    pair = [torch.from_numpy(x).permute(2, 0, 1)[None].float() / 255 for x in (image, reference)]
    return float(multiscale_structural_similarity_index_measure(*pair, data_range=1.0))


def awgn(
    symbols: NDArray[np.complex64], snr_db: float, rng: np.random.Generator
) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    """Symbols plus circular complex Gaussian noise of variance 10^(-SNR/10); and that variance."""
    variance = 10 ** (-snr_db / 10)
    noise = rng.standard_normal((symbols.size, 2)) @ np.array([1, 1j]) * np.sqrt(variance / 2)
    return (symbols + noise).astype(np.complex64), np.full(symbols.size, variance, np.float32)


def measure(
    codec: ImageCodec, pictures: Iterable[NDArray[np.uint8]], rates: tuple[str, ...], seed: int
) -> list[dict]:
    """One row per rate and SNR: mean and 10th percentile of PSNR in dB, mean MS-SSIM or None."""
    scores: dict[tuple[str, float], list[tuple[float, float | None]]] = {}
    for index, picture in enumerate(pictures):
        rng = np.random.default_rng([seed, index])
        for rate in rates:
            for snr_db in SNRS_DB:
                symbols, descriptor = codec.encode(picture, rate, snr_db)
                decoded = codec.decode(*awgn(symbols, snr_db, rng), descriptor)
                pair = psnr_db(picture, decoded), ms_ssim(picture, decoded)
                scores.setdefault((rate, snr_db), []).append(pair)
    rows = []
    for (rate, snr_db), pairs in scores.items():
        psnr = [p for p, _ in pairs]
        similar = [s for _, s in pairs if s is not None]
        rows.append(
            {
                "rate": rate,
                "snr_db": snr_db,
                "psnr_db": round(float(np.mean(psnr)), 3),
                "psnr_db_p10": round(float(np.percentile(psnr, 10)), 3),
                "ms_ssim": round(float(np.mean(similar)), 4) if similar else None,
            }
        )
    return rows


def _limit(args: argparse.Namespace, path: str) -> PictureSet:
    """The test pictures of ``path``, as many as the options allow for their size."""
    if path == BUNDLED:
        names = PHOTOS[: args.photos]
        return PictureSet(BUNDLED, "test", [load_image(name).pixels for name in names], 0)
    first = load_pictures(path, "test", 1).pictures[0]
    small = max(first.shape[:2]) <= SMALL_SIDE
    return load_pictures(path, "test", args.pictures if small else args.photos)


def _print(console: Console, label: str, rows: list[dict], key: str, digits: int) -> None:
    table = Table(title=label)
    table.add_column("k/n")
    for snr_db in SNRS_DB:
        table.add_column(f"{snr_db:g} dB", justify="right")
    for rate in dict.fromkeys(r["rate"] for r in rows):
        values = [r[key] for r in rows if r["rate"] == rate]
        table.add_row(rate, *("-" if v is None else f"{v:.{digits}f}" for v in values))
    console.print(table)


def _over(rows: list[dict], reference: Mapping[tuple[str, float], float]) -> list[dict]:
    """``rows`` with ``gain_db`` over the reference by rate and SNR; those it does not have left
    out."""
    return [
        row | {"gain_db": round(row["psnr_db"] - reference[row["rate"], row["snr_db"]], 3)}
        for row in rows
        if (row["rate"], row["snr_db"]) in reference
    ]


def _source(
    codecs: list[ImageCodec], args: argparse.Namespace, path: str, console: Console
) -> dict[str, Any]:
    """Measure all codecs on the test pictures of ``path`` and print what was found."""
    found = _limit(args, path)
    name = Path(path).name
    small = max(found.pictures[0].shape[:2]) <= SMALL_SIDE
    all_rows: list[dict] = []
    first: dict[tuple[str, float], float] = {}
    for codec in codecs:
        shown = track(
            found.pictures, f"{codec.name}, {name}: {len(found.pictures)} pictures", console=console
        )
        rates = tuple(args.rates or codec.rates)
        rows = [{"model": codec.name} | r for r in measure(codec, shown, rates, args.seed)]
        _print(console, f"{codec.name}, {name}: mean PSNR in dB", rows, "psnr_db", 2)
        if any(r["ms_ssim"] is not None for r in rows):
            _print(console, f"{codec.name}, {name}: mean MS-SSIM", rows, "ms_ssim", 4)
        if small and name.startswith(PEERS_SOURCE):
            peers = {
                (k, s): v for k, row in PEERS.items() for s, v in zip(SNRS_DB, row, strict=True)
            }
            title = f"{codec.name}: dB over the best of five per-SNR models (goal 1)"
            if margins := _over(rows, peers):
                _print(console, title, margins, "gain_db", 2)
        if first:
            title = f"{codec.name}: PSNR over {codecs[0].name} in dB"
            _print(console, title, _over(rows, first), "gain_db", 2)
        first = first or {(r["rate"], r["snr_db"]): r["psnr_db"] for r in rows}
        all_rows += rows
    return {
        "source": name,
        "split": "test",
        "small": small,
        "pictures": len(found.pictures),
        "skipped": found.skipped,
        "rows": all_rows,
    }


def _load(args: argparse.Namespace, name: str) -> ImageCodec:
    from models.image_codec import ImageCodec

    codec = ImageCodec.load(name, **({"directory": Path(args.weights)} if args.weights else {}))
    if args.constellation:
        analog = args.constellation == "analog"
        codec.bits_per_symbol = 0 if analog else int(args.constellation).bit_length() - 1
    if odd := [r for r in args.rates or () if r not in codec.rates]:
        raise ConfigError(f"rates has {odd[0]!r}, permitted: {', '.join(codec.rates)}")
    return codec


def run(args: argparse.Namespace) -> int:
    """Measure, print and store; returns the exit code. Raises ConfigError, ModelError."""
    # Here, not above: the command line asks for the options without paying for torch.
    import torch

    from host.evaluate.jscc_plots import curves
    from models.weights_io import read_card, write_atomic

    require_range("pictures", args.pictures, 1, 10**6)
    require_range("photos", args.photos, 1, 10**6)
    prepare(args)
    if len(set(args.name)) < len(args.name):
        raise ConfigError(f"name is {' '.join(args.name)}, permitted: each once")
    where = (Path(args.weights),) if args.weights else ()
    codecs = [_load(args, name) for name in args.name]
    console = Console()
    result = {
        "models": [
            {
                "model": codec.name,
                "sha256": read_card(codec.name, *where)["sha256"],
                "constellation": 1 << codec.bits_per_symbol if codec.bits_per_symbol else None,
            }
            for codec in codecs
        ],
        "channel": "awgn",
        "snr": "Es/N0 per complex symbol",
        "seed": args.seed,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "sources": [_source(codecs, args, path, console) for path in args.data or [BUNDLED]],
    }
    if args.json:
        write_json(args.json, result)
        log.info("wrote %s", args.json)
    if args.plot:
        write_atomic(Path(args.plot), curves(result, PEERS))
        log.info("wrote %s", args.plot)
    return 0


def main() -> int:
    """``python -m host.evaluate.jscc``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
