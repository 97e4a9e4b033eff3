# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges and words against the classic chain, at equal cost: ``./semcom eval edges-vs-jpeg``.

Each held-out scene is sent as its caption and its edge map, from which the receiver draws the
picture, and as JPEG and WebP (Grassucci et al., Fig. 6). The caption travels as UTF-8, or *packed*
as the link packs it (:mod:`host.pipeline.prompt_code`); CRC-32 included.

``bits``: no errors. JPEG and WebP get as many bits as edges and caption take, then 2, 4 and 8
times as many; the sender picks size and quality of highest PSNR. Headers that can be agreed on
are not counted (:mod:`host.evaluate.classic`); ``file_bits`` counts them.

``noise``: white noise over the SNR a symbol, one attempt. Caption, JPEG and WebP go through QPSK
and the rate-1/2 code, edge bits through bare QPSK; JPEG and WebP get the same number of symbols. A
caption whose CRC fails is gone: the receiver draws from the edges alone. Damaged files are decoded
as far as they go. (The testbed's link sends captions again until they are right; here nothing is
sent again, for either side.)

Pictures are read by the scene judge; attributes and relations are counted, MS-SSIM and PSNR are
against the scene's picture.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from host.evaluate import classic
from host.evaluate.output import add_files, prepare, show, write_json
from host.metrics import ms_ssim, psnr_db
from host.pipeline.prompt_code import from_air, to_air
from semcom_blocks.crc import crc32
from semcom_blocks.errors import ModelError, require_range
from semcom_blocks.phy import coding

if TYPE_CHECKING:
    from models.generation.pipeline import EmbeddedGenerator
    from models.scene_judge import SceneJudge

log = logging.getLogger(__name__)
Record = dict[str, Any]
Picture = NDArray[np.uint8]

SCENE_SEED = 20_260_722  # no training draws from it
SIDE = 64
SNRS_DB = (-2.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0)
TIMES = (1, 2, 4, 8)  # as many bits for JPEG and WebP
PROMPTS = ("utf-8", "packed")
CRC_BYTES = 4
SHOWN = 4  # scenes on the page of pictures
AT_ONCE = 50  # pictures drawn together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval edges-vs-jpeg``."""
    add_files(parser)
    add = parser.add_argument
    add("--scenes", type=int, default=100, help="a row (default: %(default)s)")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--judge", default="scene-judge-v1", help="name of the judge's weights")
    add("--seed", type=int, default=1, help="of noise and drawing (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all")


def pack(text: str, kind: str) -> bytes:
    """A caption as sent, its CRC-32 at the end."""
    data = to_air(text, packed=kind == "packed").encode()
    return data + crc32(data).to_bytes(CRC_BYTES, "big")


def unpack(data: bytes) -> str | None:
    """The caption, or None where it did not arrive whole."""
    body, check = data[:-CRC_BYTES], data[-CRC_BYTES:]
    if crc32(body).to_bytes(CRC_BYTES, "big") != check:
        return None
    return from_air(body.decode())


class Bench:
    """Scenes as sent by either side, and how well the pictures drawn keep them."""

    def __init__(
        self, generator: EmbeddedGenerator, codec, extractor, judge: SceneJudge,
        number: int, seed: int,
    ) -> None:  # fmt: skip
        import torch

        from models.scenes.grammar import write
        from models.scenes.render import render, to_uint8
        from models.scenes.sample import sample

        self.generator, self.codec, self.judge, self.seed = generator, codec, judge, seed
        batch = sample(number, torch.Generator().manual_seed(SCENE_SEED))
        self.scenes = batch.scenes()
        self.pictures: list[Picture] = list(to_uint8(render(batch, SIDE)).numpy())
        self.captions = [write(s) for s in self.scenes]
        self.codes = [codec.encode(extractor.edges(p)) for p in self.pictures]
        self.noise = generator.noise(number, SIDE, seed)
        self.drawn: dict[tuple, Picture] = {}
        self.fit = cache(self._fit)

    def bits(self, number: int, prompt: str) -> int:
        """Edges, caption and CRC of a scene."""
        return len(self.codes[number].bits) + 8 * len(pack(self.captions[number], prompt))

    def symbols(self, number: int, prompt: str) -> int:
        """QPSK symbols of the same: the caption coded, the edges bare."""
        edges = -(-len(self.codes[number].bits) // classic.QPSK)
        return edges + classic.symbols_coded(8 * len(pack(self.captions[number], prompt)))

    def draw(self, jobs: list[tuple[int, str, bytes, float]]) -> list[Picture]:
        """Pictures for (scene, caption or "", edge bits or b"" for none, error rate told)."""
        import torch

        from models.generation.pipeline import GUIDANCE, STEPS
        from models.generation.text import batch_tokens
        from models.pictures import edge_tensor
        from models.scenes.render import to_uint8

        for with_edges in (True, False):
            missing = list(dict.fromkeys(
                j for j in jobs if j not in self.drawn and bool(j[2]) == with_edges
            ))  # fmt: skip
            for start in range(0, len(missing), AT_ONCE):
                part = missing[start : start + AT_ONCE]
                edges = None
                if with_edges:
                    maps = [self.codec.decode(self._code(i, bits), ber) for i, _, bits, ber in part]
                    edges = torch.cat([edge_tensor(m) for m in maps])
                noise = self.noise[[i for i, *_ in part]]
                with torch.no_grad():
                    text = batch_tokens([job[1] for job in part])
                    found = self.generator.draw(text, noise, STEPS, GUIDANCE, edges=edges)
                self.drawn |= dict(zip(part, to_uint8(found).numpy(), strict=True))
        return [self.drawn[job] for job in jobs]

    def _code(self, number: int, bits: bytes):
        return replace(self.codes[number], bits=np.frombuffer(bits, np.uint8))

    def _fit(self, number: int, kind: str, budget: int) -> classic.Coded | None:
        return classic.fit(self.pictures[number], kind, budget)

    def score(self, pictures: list[Picture], about: Record) -> Record:
        """``about`` and the scores of one picture a scene."""
        from models.scenes.fidelity import compare_all

        read = self.judge.read(pictures)
        fidelity = compare_all(zip(self.scenes, read, strict=True)).as_dict()
        pairs = list(zip(self.pictures, pictures, strict=True))
        return about | {
            **{k: fidelity[k] for k in ("attributes", "relations", "exact")},
            "ms_ssim": round(float(np.mean([ms_ssim(a, b)[0] for a, b in pairs])), 4),
            "psnr_db": round(float(np.mean([min(psnr_db(a, b), 100.0) for a, b in pairs])), 2),
        }

    def clean(self, prompt: str) -> list[tuple[Record, list[Picture]]]:
        """Without errors: (what it is, pictures)."""
        numbers = range(len(self.scenes))
        budgets = [self.bits(i, prompt) for i in numbers]
        sent = [(i, self.captions[i], self.codes[i].bits.tobytes(), 0.0) for i in numbers]
        edge_bits = float(np.mean([len(c.bits) for c in self.codes]))
        mean = float(np.mean(budgets))
        rows = [
            ({"system": "edges + text", "bits": mean, "times": 1}, self.draw(sent)),
            ({"system": "text", "bits": mean - edge_bits, "times": 1},
             self.draw([(i, self.captions[i], b"", 0.0) for i in numbers])),
            ({"system": "edges", "bits": edge_bits, "times": 1},
             self.draw([(i, "", bits, 0.0) for i, _, bits, _ in sent])),
        ]  # fmt: skip
        for kind in classic.FORMATS:
            for times in TIMES:
                fitted = [self.fit(i, kind, times * budgets[i]) for i in numbers]
                used = [c.bits() if c else 0 for c in fitted]
                files = [c.bits(whole=True) if c else 0 for c in fitted]
                about = {"system": kind, "bits": float(np.mean(used)), "times": times,
                         "file_bits": round(float(np.mean(files)), 1),
                         "refused": sum(c is None for c in fitted)}  # fmt: skip
                rows.append((about, [shown(c) for c in fitted]))
        return [({"prompt": prompt, **about, "bits": round(about["bits"], 1)}, pictures)
                for about, pictures in rows]  # fmt: skip

    def noisy(self, prompt: str, snr_db: float) -> list[tuple[Record, list[Picture]]]:
        """Over white noise at equal symbols: (what it is, pictures)."""
        jobs, lost = [], 0
        found: dict[str, list[Picture]] = {kind: [] for kind in classic.FORMATS}
        unread = dict.fromkeys(classic.FORMATS, 0)
        ber = bare_ber(snr_db)
        for i, caption in enumerate(self.captions):
            # The same draws at every SNR: differences are not chance.
            rng = np.random.default_rng([self.seed, i])
            sent = coding.bytes_to_bits(pack(caption, prompt))
            heard = unpack(coding.bits_to_bytes(classic.send_coded(sent, snr_db, rng)))
            lost += heard is None
            bits = classic.send_bare(self.codes[i].bits, snr_db, rng)
            jobs.append((i, heard or "", bits.tobytes(), ber))
            budget = self.symbols(i, prompt) - coding.TAIL_BITS  # one symbol a bit, and the tail
            for kind in classic.FORMATS:
                coded = self.fit(i, kind, budget)
                body = None
                if coded:
                    # The byte that says size and quality is taken as received.
                    data = coding.bytes_to_bits(coded.body)
                    body = coding.bits_to_bytes(classic.send_coded(data, snr_db, rng))
                found[kind].append(shown(coded, body))
                unread[kind] += coded is None or not classic.decode(coded, body)[1]
        count = len(self.captions)
        symbols = round(float(np.mean([self.symbols(i, prompt) for i in range(count)])), 1)
        shared = {"prompt": prompt, "snr_db": snr_db, "symbols": symbols}
        rows = [({**shared, "system": "edges + text", "lost": round(lost / count, 4)},
                 self.draw(jobs))]  # fmt: skip
        for kind, pictures in found.items():
            rows.append(({**shared, "system": kind, "lost": round(unread[kind] / count, 4)},
                         pictures))  # fmt: skip
        return rows


def shown(coded: classic.Coded | None, body: bytes | None = None) -> Picture:
    """What the receiver sees of a coded picture; grey where nothing fitted."""
    if coded is None:
        return np.full((SIDE, SIDE, 3), 128, np.uint8)
    return classic.decode(coded, body)[0]


def bare_ber(snr_db: float) -> float:
    """Bit error rate of bare QPSK, Q(sqrt(SNR)), as far as the edge codec knows rates."""
    from scipy.special import erfc

    from models.edges.transform import MAX_BER

    return min(float(0.5 * erfc(np.sqrt(10 ** (snr_db / 10) / 2))), MAX_BER)


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from models.edges.codec import EdgeBitCodec
    from models.edges.hed import HedExtractor
    from models.generation.pipeline import EmbeddedGenerator
    from models.scene_judge import SceneJudge
    from models.weights_io import WEIGHTS_DIR, read_card, write_atomic

    require_range("scenes", args.scenes, 1, 100_000)
    prepare(args)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    generator = EmbeddedGenerator.load(directory)
    if generator.control is None:
        raise ModelError(f"{directory}: weights 'control-v1' are missing, permitted: with them")
    bench = Bench(
        generator, EdgeBitCodec.load(directory=directory), HedExtractor.load(directory=directory),
        SceneJudge.load(args.judge, directory), args.scenes, args.seed,
    )  # fmt: skip
    console = Console(stderr=True)

    def measured(title: str, jobs: list[Callable[[], list]]) -> tuple[list[Record], list]:
        pairs = [pair for job in track(jobs, title, console=console) for pair in job()]
        return [bench.score(pictures, about) for about, pictures in pairs], pairs

    bits, clean = measured("bits", [lambda p=p: bench.clean(p) for p in PROMPTS])
    noise, noisy = measured(
        "noise", [lambda p=p, s=s: bench.noisy(p, s) for p in PROMPTS for s in SNRS_DB]
    )
    names = ("flow-v1", "control-v1", "vae-v1", "edge-codec-v1", "hed-v1", args.judge)
    result = {
        "seed": args.seed,
        "scenes": args.scenes,
        "side": SIDE,
        "weights": {name: read_card(name, directory)["sha256"] for name in names},
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "itself": bench.score(bench.pictures, {}),
        "bits": bits,
        "noise": noise,
    }
    scores = ("attributes", "relations", "exact", "ms_ssim", "psnr_db")
    show(Console(), "At equal bits", bits, ("prompt", "system", "times", "bits", *scores))
    keys = ("prompt", "snr_db", "system", "symbols", "lost", *scores)
    show(Console(), "At equal symbols", noise, keys)
    if args.json:
        write_json(args.json, result)
        log.info("wrote %s", args.json)
    if args.plot or args.pictures:
        from host.evaluate import edges_vs_jpeg_plots as plots

        if args.plot:
            write_atomic(Path(args.plot), plots.curves(result))
        if args.pictures:
            page = plots.pictures(bench.pictures[:SHOWN], clean, noisy)
            write_atomic(Path(args.pictures), page)
    return 0
