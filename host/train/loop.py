# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop that the networks share: any module, any loss that draws its own batch.

::

    def build() -> nn.Module                     fresh weights; torch's global seed is set before
    def loss(module, generator) -> Tensor        draws a batch from ``generator``; a scalar, or
                                                 (scalar, {"part": float}) for the log; with
                                                 ``annealed`` it is given the share done as well
    def validate(module) -> dict[str, float]     of the moving average of the weights

A trainer is a file ``host/train/NAME.py`` that declares its options with
:func:`host.train.options.add_arguments` and calls :func:`train`. AdamW, linear warm-up and cosine,
gradient clipping, a moving average of the weights (which is what ships), bfloat16 where wished. All
that the next step depends on is in the checkpoint, so with ``--steps`` a resumed run equals an
uninterrupted one bit by bit, as long as ``loss`` draws all its chance from ``generator``. At each
validation the weights so far are written with their card: a run may be used before it ends.

With ``--processes`` several run the same loop (:mod:`host.train.processes`): each draws its part of
the batch from a generator of its own, gradients are averaged, rank 0 keeps time, validates and
writes. ``args.batch`` is a process's part, and what the card says is the whole.
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from numpy.random import SeedSequence
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor, nn

from host.train.card import About, write_network
from host.train.checkpoint import Progress, load_checkpoint, save_checkpoint
from host.train.options import CHECKPOINT, add_arguments, check
from host.train.processes import ALONE, Alone
from host.train.schedule import Schedule
from host.train.start import load_start
from semcom_blocks.errors import ConfigError, ModelError

log = logging.getLogger(__name__)

Loss = Callable[..., "Tensor | tuple[Tensor, dict[str, float]]"]
Validate = Callable[[nn.Module], dict[str, float]]
Groups = Callable[[nn.Module], list[dict]]

CHECKPOINT_EVERY_S = 60.0  # a kill loses at most this much training
VALIDATE_EVERY_S = 300.0
LOG_EVERY_STEPS = 100
LENGTH = ("steps", "minutes")
CLIP_NORM = 1.0
MAX_BAD_STEPS = 50  # in a row without a finite gradient: the run has diverged
FIXED = ("seed", "batch", "lr", "weight_decay", "ema", "precision", *LENGTH)


class Step(nn.Module):
    """The loss as a forward pass, so that gradients can be averaged whatever the loss calls."""

    def __init__(self, module: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.module = module
        self.loss = loss

    def forward(self, *drawn: torch.Generator | float) -> Tensor | tuple[Tensor, dict[str, float]]:
        return self.loss(self.module, *drawn)


class Loop:
    """Module, moving average, optimiser, generator and progress of one run."""

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        schedule: Schedule,
        settings: dict,
        validate: Validate | None = None,
        *,
        groups: Groups | None = None,
        annealed: bool = False,
        team: Alone = ALONE,
    ) -> None:
        """``settings`` holds all that shapes the run: a checkpoint of others is refused.

        groups: parameter groups of AdamW, each with its ``share`` of the learning rate (default:
        one of all).  annealed: the loss takes the share of the run that is done, 0…1, as third
        argument.  team: who trains.
        """
        self.module = module.train()
        self.schedule = schedule
        self.validate = validate
        self.annealed = annealed
        self.team = team
        self.ema = copy.deepcopy(module).eval().requires_grad_(False)
        self.trained = [p for p in module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            groups(module) if groups else self.trained,
            schedule.peak_lr,
            betas=(0.9, 0.99),
            weight_decay=settings["weight_decay"],
            fused=True,
        )
        self.generator = generator_of(settings["seed"], team.rank)
        self.progress = Progress(settings)
        self.forward = team.prepare(Step(module, loss))
        self._bad_steps = 0

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        states = self.team.gather(self.generator.get_state())
        if self.team.rank == 0:
            save_checkpoint(path, self.module, self.ema, self.optimiser, states, self.progress)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings; :class:`ModelError` otherwise.

        Only the length may differ: the learning rate then follows the new one.
        """
        settings = self.progress.settings
        parts = self.module, self.ema, self.optimiser, self.generator
        self.progress = load_checkpoint(path, *parts, settings, LENGTH, self.team.rank)
        self.progress.settings = settings

    def step(self) -> tuple[float, dict[str, float]]:
        """One update; this process's loss and its parts, NaN where the gradient was not finite."""
        done = self.schedule.done(self.progress)
        rate = self.schedule.learning_rate(done)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("share", 1.0)
        with self.team.autocast(self.progress.settings["precision"] == "bfloat16"):
            result = self.forward(self.generator, *([done] if self.annealed else []))
        value, parts = result if isinstance(result, tuple) else (result, {})
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, CLIP_NORM)
        self.progress.step += 1
        if not torch.isfinite(norm):
            self._bad_steps += 1
            log.warning("step %d: gradient not finite, left out", self.progress.step)
            if self._bad_steps >= MAX_BAD_STEPS:
                raise ModelError(
                    f"training diverged at step {self.progress.step}: {MAX_BAD_STEPS} gradients in "
                    f"a row are not finite, lr is {self.schedule.peak_lr}: try a smaller one"
                )
            return math.nan, parts
        self._bad_steps = 0
        self.optimiser.step()
        self._average()
        return float(value.detach()), parts

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.progress.settings["ema"], self.progress.step / (10 + self.progress.step))
        pairs = zip(self.ema.parameters(), self.module.parameters(), strict=True)
        averages, weights = zip(*((a, w) for a, w in pairs if w.requires_grad), strict=True)
        torch._foreach_lerp_(list(averages), list(weights), 1 - decay)
        for own, other in zip(self.ema.buffers(), self.module.buffers(), strict=True):
            own.copy_(other)

    def run(
        self,
        checkpoint: Path,
        report: Callable[[float, str], None],
        noted: Callable[[dict], None] = lambda row: None,
    ) -> None:
        """Step until the schedule is done.

        ``report(share done, text)`` every LOG_EVERY_STEPS; ``noted(row)`` with each row of the
        curve, every VALIDATE_EVERY_S and at the end.
        """
        losses: list[tuple[float, dict[str, float]]] = []
        progress = self.progress
        saved_s = validated_s = progress.elapsed_s
        before = time.monotonic()
        while self.schedule.done(progress) < 1:
            losses.append(self.step())
            now = time.monotonic()
            # One clock: what follows from it, the last step above all, must be the same for all.
            progress.elapsed_s = self.team.agree(progress.elapsed_s + now - before)
            before = now
            if progress.step % LOG_EVERY_STEPS == 0:
                text = f"step {progress.step}, {_told(means(losses[-LOG_EVERY_STEPS:]))}"
                report(min(1.0, self.schedule.done(progress)), text)
            if progress.elapsed_s - validated_s > VALIDATE_EVERY_S:
                noted(self._note(losses))
                losses.clear()
                validated_s, before = progress.elapsed_s, time.monotonic()
            if progress.elapsed_s - saved_s > CHECKPOINT_EVERY_S:
                self.save(checkpoint)
                saved_s, before = progress.elapsed_s, time.monotonic()
        if not progress.curve or progress.curve[-1]["step"] != progress.step:
            noted(self._note(losses))
        self.save(checkpoint)

    def _note(self, losses: list[tuple[float, dict[str, float]]]) -> dict:
        """Add a row to the curve: mean losses since the last row, scores of the average."""
        losses = [loss for part in self.team.gather(losses) for loss in part]
        scores = self.validate(self.ema) if self.validate and self.team.rank == 0 else {}
        row = {
            "step": self.progress.step,
            "elapsed_s": round(self.progress.elapsed_s, 1),
            **{k: round(v, 5) for k, v in means(losses).items()},
            **{k: round(float(v), 5) for k, v in scores.items()},
        }
        self.progress.curve.append(row)
        log.info("%s", row)
        return row


def generator_of(seed: int, rank: int) -> torch.Generator:
    """The generator of process ``rank``; the first one's is what a process alone has."""
    if rank:
        seed = int(SeedSequence(seed, spawn_key=(rank,)).generate_state(1)[0])
    return torch.Generator().manual_seed(seed)


def means(losses: list[tuple[float, dict[str, float]]]) -> dict[str, float]:
    """Mean ``loss`` and mean of each part, over the finite steps."""
    finite = [(x, parts) for x, parts in losses if math.isfinite(x)]
    rows = [{"loss": x, **parts} for x, parts in finite]
    keys = dict.fromkeys(k for row in rows for k in row)
    columns = {k: [row[k] for row in rows if k in row] for k in keys}
    return {k: sum(values) / len(values) for k, values in columns.items()}


def _told(values: dict[str, float]) -> str:
    return ", ".join(f"{k} {v:.4g}" for k, v in values.items())


def train(
    args: argparse.Namespace,
    build: Callable[[], nn.Module],
    loss: Loss,
    about: About,
    *,
    shaping: tuple[str, ...] = (),
    validate: Validate | None = None,
    groups: Groups | None = None,
    annealed: bool = False,
    free: tuple[str, ...] = (),
    based: bool = False,
) -> nn.Module:
    """Run the training that ``args`` asks for; returns the moving average of the module.

    ``shaping``: further names in ``args`` that shape the run, stored in checkpoint and card.
    ``free``: of the configuration, what may differ from that of the weights to start from.
    ``based``: parameters that take no gradient stay the start's and are not stored again.
    The rest as in :class:`Loop`. Writes the checkpoint, ``NAME.safetensors``, ``NAME.json`` and
    ``NAME.card.md`` into ``--out``. Raises ConfigError, ModelError.
    """
    check(args)
    team = getattr(args, "team", ALONE)
    torch.set_num_threads(args.threads or len(os.sched_getaffinity(0)))
    out = Path(args.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        raise ConfigError(f"out is {args.out!r}, permitted: a folder ({reason})") from None

    settings = {key: getattr(args, key) for key in (*FIXED, *shaping)}
    if team.size > 1:
        settings |= {"batch": args.batch * team.size, "processes": team.size}
    seconds = None if args.minutes is None else 60 * args.minutes
    torch.manual_seed(args.seed)  # initial weights
    module = build()
    if args.start is not None:
        shipped = module.get_submodule(about.part) if about.part else module
        folder = getattr(args, "weights", None)
        started = load_start(shipped, args.start, about, folder, free)
        settings |= started
        if based:
            fixed = frozenset(n for n, p in shipped.named_parameters() if not p.requires_grad)
            base = {"name": started["start"], "sha256": started["start_sha256"]}
            about = replace(about, base=base, fixed=fixed)
    schedule = Schedule(args.steps, seconds, args.lr)
    loop = Loop(
        module, loss, schedule, settings, validate, groups=groups, annealed=annealed, team=team
    )
    parameters = sum(p.numel() for p in loop.trained)
    log.info("%s: %s trained parameters", args.name, f"{parameters:,}")
    checkpoint = out / CHECKPOINT
    if args.resume and checkpoint.exists():
        loop.restore(checkpoint)
        log.info("resumed at step %d, %.0f s", loop.progress.step, loop.progress.elapsed_s)
    if team.rank:  # the first one tells and writes
        loop.run(checkpoint, lambda *_: None)
    else:
        _run(args, loop, checkpoint, about)
    return loop.ema


def _run(args: argparse.Namespace, loop: Loop, checkpoint: Path, about: About) -> None:
    """Train with a bar, and write weights, card and curves."""
    out, writer = checkpoint.parent, _tensorboard(args.tensorboard)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bar(*columns) as bar:
        task = bar.add_task("training", total=1.0)

        def report(done: float, text: str) -> None:
            bar.update(task, completed=done, description=text)
            log.info("%s, %.0f s", text, loop.progress.elapsed_s)

        def noted(row: dict) -> None:
            write_network(out, args.name, loop.ema, loop.progress, about)
            if writer:
                for key in row.keys() - {"step", "elapsed_s"}:
                    writer.add_scalar(key, row[key], row["step"], walltime=None)

        loop.run(checkpoint, report, noted)
    write_network(out, args.name, loop.ema, loop.progress, about)
    if writer:
        writer.close()
    log.info("wrote %s", out / f"{args.name}.safetensors")


def _tensorboard(folder: str | None):
    if folder is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            f"tensorboard is {folder!r}, permitted: none, since tensorboard is not installed"
        ) from None
    return SummaryWriter(folder)


__all__ = ["Loop", "Loss", "Validate", "add_arguments", "check", "means", "train"]
