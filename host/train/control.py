# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the edge branch: ``./semcom train control --minutes 20`` beside the shipped, frozen flow.

Edge maps are the exact outlines of scenes, and, with ``--edges hed-v1``, for half of the scenes
what that network sees in their pictures. With ``--codec edge-codec-v1`` most of them have come
through that codec and a channel of its own error rate each: what is round there may have been
square, and the branch learns to leave that to the words. All are spoilt further: blurred, parts
missing, some strokes that should not be there. Captions are those of the flow's training. Loss:
mean square error of the velocity.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import track

from host.train import options
from host.train.flow import (
    ENCODED_AT_ONCE,
    SIDE,
    VALIDATION_SCENES,
    VALIDATION_SEED,
    VALIDATION_TIMES,
    Pool,
    add_source_options,
    draw_times,
    encode_scenes,
    mix,
)
from semcom_blocks.errors import require_range

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from models.scenes.sample import SceneBatch

log = logging.getLogger(__name__)

MAX_BYTES = 4 * 2**20
CELLS = 8  # edge maps lose and gain strokes in cells of 8x8 pixels
CLEAN_SHARE = 0.4  # of the maps
CODED_SHARE = 0.7  # of the maps, where there is a codec
MAX_LOST = 0.3  # share of cells
MAX_GAINED = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``train control``."""
    add = parser.add_argument
    add_source_options(parser)
    parser.set_defaults(scenes=20_000)
    add("--flow", default="flow-v1", help="name of the flow's weights")
    add("--edges", metavar="NAME", help="weights of the edge network (default: outlines only)")
    add("--codec", metavar="NAME", help="weights of the edge codec (default: maps uncoded)")
    add("--blocks", type=int, default=3, help="copied from the flow")
    options.add_arguments(parser, name="control-v1", minutes=20.0, batch=48, lr=1e-3)


def spoil(edges: Tensor, generator: torch.Generator) -> Tensor:
    """Edge maps (B,1,H,W) in [0,1] as a bad link leaves them; a share stays clean."""
    import torch
    import torch.nn.functional as F

    number, _, height, width = edges.shape
    grid = (number, 1, height // CELLS, width // CELLS)

    def share(limit: float) -> Tensor:
        return limit * torch.rand(number, 1, 1, 1, generator=generator)

    def cells(mask: Tensor) -> Tensor:
        return F.interpolate(mask.float(), scale_factor=CELLS, mode="nearest")

    lost = cells(torch.rand(grid, generator=generator) < share(MAX_LOST))
    gained = cells(torch.rand(grid, generator=generator) < share(MAX_GAINED))
    strokes = edges[torch.randperm(number, generator=generator)]
    bad = torch.maximum(edges * (1 - lost), strokes * gained)
    blurred = F.avg_pool2d(F.pad(bad, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    bad = torch.lerp(bad, blurred, share(1.0))
    bad = (bad + share(0.1) * torch.randn(bad.shape, generator=generator)).clamp(0, 1)
    clean = torch.rand(number, 1, 1, 1, generator=generator) < CLEAN_SHARE
    return torch.where(clean, edges, bad)


def edge_maps(scenes: SceneBatch, name: str | None, directory: Path | None) -> Tensor:
    """Outlines uint8 (N,1,64,64); with ``name`` every second one as that network sees it."""
    import torch

    from models.scenes.boundaries import boundaries
    from models.scenes.render import render, to_uint8

    maps = boundaries(scenes, SIDE)[:, None].to(torch.uint8) * 255
    if name is None:
        return maps
    from models.edges.hed import HedExtractor

    extractor = HedExtractor.load(name, directory) if directory else HedExtractor.load(name)
    pictures = to_uint8(render(scenes[::2], SIDE)).numpy()
    for i, picture in enumerate(track(pictures, "edges as the network sees them")):
        maps[2 * i, 0] = torch.from_numpy(extractor.edges(picture))
    return maps


def coded(
    edges: Tensor, name: str | None, directory: Path | None, generator: torch.Generator
) -> Tensor:
    """Edge maps uint8 (N,1,H,W), CODED_SHARE of them as codec ``name`` hands them on."""
    import torch

    from host.train.edge_codec import conditions
    from models.edges.codec import load_networks
    from models.edges.transform import binarise, flips

    if name is None:
        return edges
    networks = load_networks(name, directory) if directory else load_networks(name)
    chosen = (torch.rand(len(edges), generator=generator) < CODED_SHARE).nonzero()[:, 0]
    edges = edges.clone()
    with torch.no_grad():
        for rows in track(chosen.split(ENCODED_AT_ONCE), "edges through the codec"):
            bits = binarise(networks.transform.analyse(edges[rows].float() / 255))
            ber, _ = conditions(tuple(bits.shape), generator)
            received = bits * flips(bits.shape, ber, generator)
            maps = networks.transform.synthesise(received, ber).sigmoid()
            edges[rows] = (255 * maps).round().to(torch.uint8)
    return edges


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` says; returns the exit code. Raises ConfigError, ModelError."""
    import torch
    import torch.nn.functional as F

    from host.train import loop
    from host.train.card import About
    from models.generation.control import Control, ControlConfig
    from models.generation.flow import Flow, FlowConfig
    from models.generation.loading import load_network
    from models.generation.text import batch_tokens
    from models.generation.vae import Vae, VaeConfig
    from models.scenes.grammar import write
    from models.scenes.sample import sample
    from models.weights_io import read_card

    options.check(args)
    require_range("scenes", args.scenes, 1, 10**7)
    directory = Path(args.weights) if args.weights else None
    vae = load_network(Vae, VaeConfig, args.vae, directory)
    flow = load_network(Flow, FlowConfig, args.flow, directory)
    where = (directory,) if directory else ()
    args.flow_sha256 = read_card(args.flow, *where)["sha256"]
    config = ControlConfig.of(flow.config, args.blocks)
    torch.set_num_threads(args.threads or torch.get_num_threads())

    generator = torch.Generator().manual_seed(args.seed)
    pool = sample(args.scenes, generator)
    edges = coded(edge_maps(pool, args.edges, directory), args.codec, directory, generator)
    source = Pool(encode_scenes(vae, pool, SIDE), pool)

    def loss(control: Control, generator: torch.Generator) -> Tensor:
        z, text, picked = source.draw(args.batch, generator)
        noise = torch.randn(z.shape, generator=generator)
        t = draw_times(args.batch, generator)
        zt = mix(z, noise, t)
        hint = spoil(edges[picked].float() / 255, generator)
        residuals = control(flow, zt, t, text, hint)
        return F.mse_loss(flow(zt, t, text, residuals), noise - z)

    held_out = sample(VALIDATION_SCENES, torch.Generator().manual_seed(VALIDATION_SEED))
    held_z = encode_scenes(vae, held_out, SIDE).float()
    held_text = batch_tokens([write(s) for s in held_out.scenes()])
    fixed = torch.Generator().manual_seed(VALIDATION_SEED)
    held_edges = coded(edge_maps(held_out, args.edges, directory), args.codec, directory, fixed)
    held_edges = held_edges.float() / 255
    held_noise = torch.randn(held_z.shape, generator=torch.Generator().manual_seed(VALIDATION_SEED))

    @torch.no_grad()
    def validate(control: Control) -> dict[str, float]:
        scores = {}
        for time in VALIDATION_TIMES:
            t = torch.full((len(held_z),), time)
            zt = mix(held_z, held_noise, t)
            errors = []
            with torch.autocast("cpu", torch.bfloat16):
                for i in range(0, len(held_z), ENCODED_AT_ONCE):
                    part = slice(i, i + ENCODED_AT_ONCE)
                    inputs = zt[part], t[part], held_text[part]
                    v = flow(*inputs, control(flow, *inputs, held_edges[part]))
                    errors.append((v - held_noise[part] + held_z[part]).square().flatten(1).mean(1))
            scores[f"mse_t{time:g}"] = float(torch.cat(errors).mean())
        return scores

    def build() -> Control:
        control = Control(config)
        control.copy_from(flow)
        return control

    seen = f", every second one as `{args.edges}` sees it" if args.edges else ""
    seen += f", {CODED_SHARE:.0%} of them through `{args.codec}`" if args.codec else ""
    about = About(
        architecture="models.generation.control.Control",
        config=asdict(config),
        summary=f"Edge branch beside the frozen `{args.flow}`, in the ControlNet manner.",
        data=(f"{args.scenes} scenes of 64x64 with outlines from `models/scenes`{seen}, spoilt",),
        limits="Outlines of the scene world only; fits the flow that it was trained beside.",
        max_bytes=MAX_BYTES,
    )
    shaping = ("vae", "flow", "flow_sha256", "edges", "codec", "scenes", "blocks")
    loop.train(args, build, loss, about, shaping=shaping, validate=validate)
    return 0
