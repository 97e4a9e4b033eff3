# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers of lost latents side by side: ``./semcom eval receivers --json F --plot F``.

Latents of held-out scenes are sent in packets (half a row of places each), a share of the packets
is lost, the rest arrives at an SNR; each receiver completes them, with the scene's caption and
without, and the autoencoder decodes. The scene judge reads the pictures, and what it finds is
counted against the scene that was sent (attributes, relations); PSNR and MS-SSIM are against its
picture. ``plain`` is no network: lost latents are 0, noisy ones scaled down. Four tables:

* ``loss``: over the share lost, at ``--snr-db``;
* ``snr``: over the SNR, nothing lost;
* ``conditioning``: right captions against wrong ones, one word wrong or another scene's
  (Grassucci et al., Fig. 3), counted against the scene that was sent;
* ``time``: seconds of one picture, latents to pixels.

Losses, noise and scenes are the same for all receivers and repeatable by the seed.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import track

from host.evaluate.output import add_files, prepare, show, write_json
from host.metrics import ms_ssim, psnr_db
from semcom_blocks.errors import ModelError, require_range

if TYPE_CHECKING:
    from torch import Tensor

    from models.generation.vae import Vae
    from models.receivers.received import LatentReceiver
    from models.scene_judge import SceneJudge
    from models.scenes.scene import Scene

log = logging.getLogger(__name__)
Record = dict[str, Any]

SCENE_SEED = 20_260_722  # no training draws from it
SIDE = 64
LOST = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
SNRS_DB = (0.0, 5.0, 10.0, 20.0)
CONDITIONED_LOST = (0.5, 0.75, 1.0)
PACKET = 8  # places; 32 packets of 16 complex symbols make a picture of 64x64
AT_ONCE = 50  # pictures
TIMED_PICTURES = 9
SHOWN_SCENES = (0, 1, 2)
SHOWN_LOST = (0.25, 0.75)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``eval receivers``."""
    add_files(parser)
    add = parser.add_argument
    add("--scenes", type=int, default=100, help="a row (default: %(default)s)")
    add("--snr-db", type=float, default=15.0, help="of what arrives (default: %(default)s)")
    add("--kinds", help="receivers, by commas (default: all whose weights are there)")
    add("--weights", metavar="DIR", help="folder of the weights (default: those shipped)")
    add("--judge", default="scene-judge-v1", help="name of the judge's weights")
    add("--seed", type=int, default=1, help="of losses and noise (default: %(default)s)")
    add("--threads", type=int, default=0, help="processor threads, 0 = all")


def one_word_wrong(scene: Scene, rng: random.Random) -> Scene:
    """``scene`` with the colour or the shape of one object another one."""
    from models.scenes.vocabulary import COLOURS, SHAPES

    choices = []
    for i, item in enumerate(scene.objects):
        taken = {(o.colour, o.shape) for o in scene.objects}
        for name, words in (("colour", COLOURS), ("shape", SHAPES)):
            for word in words:
                changed = replace(item, **{name: word})
                if (changed.colour, changed.shape) not in taken:
                    choices.append((i, changed))
    i, changed = choices[rng.randrange(len(choices))]
    objects = (*scene.objects[:i], changed, *scene.objects[i + 1 :])
    return replace(scene, objects=objects)


class Bench:
    """Scenes, their latents and captions, and how well a receiver's pictures keep them."""

    def __init__(self, vae: Vae, judge: SceneJudge, number: int, seed: int) -> None:
        import torch

        from host.train.flow import encode_scenes
        from models.scenes.grammar import write
        from models.scenes.render import render, to_uint8
        from models.scenes.sample import sample

        self.vae, self.judge, self.seed = vae, judge, seed
        batch = sample(number, torch.Generator().manual_seed(SCENE_SEED))
        self.scenes = batch.scenes()
        self.pictures = to_uint8(render(batch, SIDE)).numpy()
        self.latents = encode_scenes(vae, batch, SIDE).float()
        rng = random.Random(seed)
        self.captions = {
            "caption": [write(s) for s in self.scenes],
            "alone": [""] * number,
            "one word wrong": [write(one_word_wrong(s, rng)) for s in self.scenes],
            "another scene's": [write(s) for s in (*self.scenes[1:], self.scenes[0])],
        }

    def parts(self) -> Iterator[slice]:
        """Slices of AT_ONCE scenes."""
        for start in range(0, len(self.scenes), AT_ONCE):
            yield slice(start, start + AT_ONCE)

    def receive(self, receiver: LatentReceiver, told: str, lost: float, snr_db: float) -> Tensor:
        """Pictures (N,3,64,64) in [0,1]; ``told``: one of the kinds of captions."""
        import torch

        from models.generation.text import batch_tokens
        from models.receivers.received import Received, transmit

        generator = torch.Generator().manual_seed(self.seed)
        sent = transmit(self.latents, lost, snr_db, generator, PACKET)
        text = batch_tokens(self.captions[told])
        found = []
        with torch.no_grad():
            for p in self.parts():
                part = Received(sent.latents[p], sent.noise_var[p], text[p])
                found.append(self.vae.decode(receiver.restore(part, self.seed)))
        return torch.cat(found)

    def score(self, pictures: Tensor) -> Record:
        """Fidelity to the scenes and likeness to their pictures."""
        from models.scenes.fidelity import compare_all
        from models.scenes.render import to_uint8

        pixels = to_uint8(pictures).numpy()
        read = self.judge.read(list(pixels))
        pairs = list(zip(self.pictures, pixels, strict=True))
        fidelity = compare_all(zip(self.scenes, read, strict=True)).as_dict()
        return {
            **{k: fidelity[k] for k in ("attributes", "relations", "exact")},
            "psnr_db": round(float(np.mean([min(psnr_db(a, b), 100.0) for a, b in pairs])), 2),
            "ms_ssim": round(float(np.mean([ms_ssim(a, b)[0] for a, b in pairs])), 4),
        }

    def row(self, receiver: LatentReceiver, told: str, lost: float, snr_db: float) -> Record:
        """One row of a table."""
        scores = self.score(self.receive(receiver, told, lost, snr_db))
        about = {"receiver": receiver.name, "told": told, "lost": lost, "snr_db": snr_db}
        return {**about, **scores}

    def seconds(self, receiver: LatentReceiver, snr_db: float) -> float:
        """Median of one picture, half of it lost, caption and all, batch 1."""
        import torch

        from models.generation.text import batch_tokens
        from models.receivers.received import transmit

        found = []
        for i in range(min(TIMED_PICTURES, len(self.scenes))):
            generator = torch.Generator().manual_seed(i)
            text = batch_tokens(self.captions["caption"][i : i + 1])
            sent = transmit(self.latents[i : i + 1], 0.5, snr_db, generator, PACKET, text)
            start = time.perf_counter()
            with torch.no_grad():
                self.vae.decode(receiver.restore(sent, i))
            found.append(time.perf_counter() - start)
        return round(float(np.median(found)), 4)


def load_all(
    wanted: Sequence[str] | None, directory: Path
) -> tuple[list[LatentReceiver], dict[str, str]]:
    """Receivers, and SHA-256 of the weights of each; missing ones are left out if none is named."""
    from models.receivers.loading import KINDS, TRAINED, load_receiver
    from models.weights_io import read_card

    found, hashes = [load_receiver("plain")], {}
    for kind in wanted or KINDS:
        if kind == "plain":
            continue
        try:
            receiver = load_receiver(kind, directory)
        except ModelError as error:
            if wanted:
                raise
            log.warning("left out: %s", error)
            continue
        found.append(receiver)
        name = TRAINED[kind][2] if kind in TRAINED else "flow-v1"
        hashes[name] = read_card(name, directory)["sha256"]
    return found, hashes


def run(args: argparse.Namespace) -> int:
    """Measure, print, draw and store; returns the exit code. Raises ConfigError, ModelError."""
    import torch

    from models.generation.loading import load_network
    from models.generation.vae import Vae, VaeConfig
    from models.receivers.received import MAX_SNR_DB, MIN_SNR_DB
    from models.scene_judge import SceneJudge
    from models.weights_io import WEIGHTS_DIR, read_card, write_atomic

    require_range("scenes", args.scenes, 2, 100_000)
    require_range("snr-db", args.snr_db, MIN_SNR_DB, MAX_SNR_DB)
    prepare(args)
    directory = Path(args.weights) if args.weights else WEIGHTS_DIR
    wanted = args.kinds.split(",") if args.kinds else None
    receivers, hashes = load_all(wanted, directory)
    vae = load_network(Vae, VaeConfig, "vae-v1", directory)
    judge = SceneJudge.load(args.judge, directory)
    bench = Bench(vae, judge, args.scenes, args.seed)
    for name in ("vae-v1", args.judge):
        hashes[name] = read_card(name, directory)["sha256"]

    def table(jobs: list[tuple], title: str) -> list[Record]:
        return [bench.row(*job) for job in track(jobs, title, console=Console(stderr=True))]

    heard = ("caption", "alone")
    result = {
        "seed": args.seed,
        "scenes": args.scenes,
        "snr_db": args.snr_db,
        "packet_places": PACKET,
        "threads": torch.get_num_threads(),
        "weights": hashes,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "loss": table([(r, t, x, args.snr_db) for r in receivers for t in heard for x in LOST],
                      "loss"),
        "snr": table([(r, t, 0.0, x) for r in receivers for t in heard for x in SNRS_DB], "snr"),
        "conditioning": table(
            [(r, t, x, args.snr_db)
             for r in receivers if r.name != "plain"
             for t in bench.captions for x in CONDITIONED_LOST],
            "conditioning",
        ),
        "time": [{"receiver": r.name, "seconds": bench.seconds(r, args.snr_db),
                  "parameters": parameters(r)} for r in receivers],
    }  # fmt: skip
    console = Console()
    columns = ("attributes", "relations", "exact", "psnr_db", "ms_ssim")
    show(console, "Share lost", result["loss"], ("receiver", "told", "lost", *columns))
    show(console, "Noise, nothing lost", result["snr"], ("receiver", "told", "snr_db", *columns))
    keys = ("receiver", "lost", "told", *columns)
    show(console, "Right and wrong conditioning", result["conditioning"], keys)
    show(console, "One picture", result["time"], ("receiver", "seconds", "parameters"))
    if args.json:
        write_json(args.json, result)
        log.info("wrote %s", args.json)
    if args.plot or args.pictures:
        from host.evaluate import receiver_plots

        if args.plot:
            write_atomic(Path(args.plot), receiver_plots.curves(result))
        if args.pictures:
            page = receiver_plots.pictures(bench, receivers, args.snr_db)
            write_atomic(Path(args.pictures), page)
    return 0


def parameters(receiver: LatentReceiver) -> int:
    """Weights that the receiver has, the autoencoder's aside."""
    from torch import nn

    module = getattr(receiver, "flow", receiver)
    return sum(p.numel() for p in module.parameters()) if isinstance(module, nn.Module) else 0
