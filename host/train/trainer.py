# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSCC training loop: one step, the schedule, validation, checkpoints.

Everything that the next step depends on is in the checkpoint: weights, their moving average, the
optimiser's moments, the generator of batches and noise, the step and the seconds trained.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from host.train.batches import Batches
from host.train.checkpoint import Progress, load_checkpoint, save_checkpoint
from host.train.link import Conditions, draw_conditions, through_link
from host.train.schedule import Schedule
from models.constellation import hardness_at
from models.jscc import STRIDE, Jscc, JsccConfig
from models.symbols import RATE_PLANES, RATES

log = logging.getLogger(__name__)

MSE_FLOOR = (
    1e-5  # 50 dB: below it a picture weighs less, so that flat ones do not rule the gradient
)
WEIGHT_DECAY = 1e-4
EMA_DECAY = 0.999
CLIP_NORM = 1.0
CHECKPOINT_EVERY_S = 60.0  # a kill loses at most this much training
LOG_EVERY_STEPS = 200
VALIDATE_EVERY_S = 300.0
VALIDATION_SNRS_DB = (1, 4, 7, 10, 13, 19)
VALIDATION_RATE = "1/6"
VALIDATION_SEED = 5  # the same noise each time, so that the curve shows the weights alone
SHARED_POWER_SHARE = 0.5  # of photo batches: one power factor for all crops, as in one big photo
INIT_PATCHES = 20_000  # for the covariance of 48 values


@torch.no_grad()
def validate(model: Jscc, pictures: Tensor) -> dict[str, float]:
    """Mean PSNR in dB of 8-bit pictures (B,3,H,W) by SNR, at rate 1/6 in AWGN."""
    result = {}
    batch, _, height, width = pictures.shape
    grid = (batch, model.config.latents // 2, height // STRIDE, width // STRIDE)
    planes = min(RATE_PLANES[RATES.index(VALIDATION_RATE)], grid[1])
    for snr_db in VALIDATION_SNRS_DB:
        noise_var = torch.full(grid, 10 ** (-snr_db / 10))
        noise_var[:, planes:] = torch.inf
        known = torch.full((batch,), float(snr_db))
        conditions = Conditions(torch.full((batch,), planes), known, noise_var)
        generator = torch.Generator().manual_seed(VALIDATION_SEED)
        decoded = through_link(model, pictures, conditions, generator).clamp(0, 1)
        mse = ((decoded * 255).round() / 255 - pictures).square().mean((1, 2, 3))
        result[f"{snr_db} dB"] = round(float(-10 * mse.clamp_min(1e-10).log10().mean()), 3)
    return result


class Trainer:
    """Model, moving average, optimiser, generator and progress of one run.

    ``settings`` goes into checkpoints and the model card; it must hold everything that shapes the
    run.
    """

    def __init__(
        self,
        config: JsccConfig,
        batches: Batches,
        schedule: Schedule,
        settings: dict,
        threads: int,
    ) -> None:
        torch.manual_seed(settings["seed"])  # initial weights
        self.generator = torch.Generator().manual_seed(settings["seed"])
        self.batches = batches
        self.schedule = schedule
        self.bfloat16 = settings["precision"] == "bfloat16"
        self.model = Jscc(config)
        self.model.init_linear(self._patches())
        self.model = self.model.to(memory_format=torch.channels_last)
        self.ema = copy.deepcopy(self.model)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), schedule.peak_lr, weight_decay=WEIGHT_DECAY, fused=True
        )
        # A batch is split over replicas that share the weights, each with gradients of its own, one
        # thread each: they meet once a step, where threads inside the convolutions would meet
        # hundreds of times and wait for each other on a machine that has other work to do.
        self.replicas = [self.model]
        for _ in range(1, max(1, threads)):
            replica = copy.deepcopy(self.model)
            for own, other in zip(self.model.parameters(), replica.parameters(), strict=True):
                other.data = own.data
            self.replicas.append(replica)
        self.pool = ThreadPoolExecutor(len(self.replicas))
        self.progress = Progress(settings)

    def _patches(self) -> Tensor:
        """At least INIT_PATCHES 4x4 patches as one strip (1,3,4·n,4), for the linear start."""
        strips: list[Tensor] = []
        while sum(strip.shape[2] for strip in strips) < INIT_PATCHES * STRIDE:
            drawn, _ = self.batches.draw(self.generator)  # (B,3,H,W)
            tall = drawn.permute(1, 0, 2, 3).reshape(1, 3, -1, drawn.shape[3])  # (1,3,B·H,W)
            columns = tall.unfold(3, STRIDE, STRIDE)  # (1,3,B·H,W/4,4)
            strips.append(columns.permute(0, 1, 3, 2, 4).reshape(1, 3, -1, STRIDE))
        return torch.cat(strips, dim=2)

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        save_checkpoint(path, self.model, self.ema, self.optimiser, self.generator, self.progress)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings; :class:`ModelError` otherwise."""
        self.progress = load_checkpoint(
            path, self.model, self.ema, self.optimiser, self.generator, self.progress.settings
        )

    def step(self) -> float:
        """One update; returns the loss, mean over the batch of log(MSE + MSE_FLOOR)."""
        done = self.schedule.done(self.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate(done)
        pictures, photos = self.batches.draw(self.generator)
        shared = photos and bool(torch.rand((), generator=self.generator) < SHARED_POWER_SHARE)
        parts = pictures.chunk(len(self.replicas))
        seeds = torch.randint(2**62, (len(parts),), generator=self.generator).tolist()
        jobs = [
            self.pool.submit(
                self._gradient,
                replica,
                part,
                len(part) / len(pictures),
                shared,
                seed,
                hardness_at(done),
            )
            for replica, part, seed in zip(self.replicas, parts, seeds, strict=False)
        ]
        loss = sum(job.result() for job in jobs)
        for replica in self.replicas[1 : len(parts)]:
            for own, other in zip(self.model.parameters(), replica.parameters(), strict=True):
                own.grad.add_(other.grad)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.progress.step += 1
        if not torch.isfinite(norm):
            log.warning("step %d: gradient not finite, left out", self.progress.step)
            return math.nan
        self.optimiser.step()
        decay = min(EMA_DECAY, self.progress.step / (10 + self.progress.step))
        with torch.no_grad():
            ema, model = list(self.ema.parameters()), list(self.model.parameters())
            torch._foreach_lerp_(ema, model, 1 - decay)
        return loss

    def _gradient(
        self,
        replica: Jscc,
        pictures: Tensor,
        weight: float,
        shared: bool,
        seed: int,
        hardness: float,
    ) -> float:
        """Loss of one part of the batch times ``weight``, its gradient left in ``replica``."""
        torch.set_num_threads(1)
        generator = torch.Generator().manual_seed(seed)
        batch, _, height, width = pictures.shape
        shape = (batch, replica.config.latents, height // STRIDE, width // STRIDE)
        conditions = draw_conditions(shape, generator)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            decoded = through_link(replica, pictures, conditions, generator, shared, hardness)
        error = (decoded - pictures).square().mean((1, 2, 3))
        loss = (error + MSE_FLOOR).log().mean() * weight
        replica.zero_grad(set_to_none=True)
        loss.backward()
        return float(loss.detach())

    def run(self, checkpoint: Path, held_out: Tensor, report: Callable[[float, str], None]) -> None:
        """Step until the schedule is done; ``report(share done, text)`` every LOG_EVERY_STEPS."""
        losses: list[float] = []
        progress = self.progress
        saved_s = validated_s = progress.elapsed_s
        before = time.monotonic()
        while self.schedule.done(progress) < 1:
            losses.append(self.step())
            now = time.monotonic()
            progress.elapsed_s += now - before
            before = now
            if progress.step % LOG_EVERY_STEPS == 0:
                text = f"step {progress.step}, loss {_mean(losses):.3f}"
                report(min(1.0, self.schedule.done(progress)), text)
            if progress.elapsed_s - validated_s > VALIDATE_EVERY_S:
                self._note(losses, held_out)
                losses.clear()
                validated_s, before = progress.elapsed_s, time.monotonic()
            if progress.elapsed_s - saved_s > CHECKPOINT_EVERY_S:
                self.save(checkpoint)
                saved_s, before = progress.elapsed_s, time.monotonic()
        if not progress.curve or progress.curve[-1]["step"] != progress.step:
            self._note(losses, held_out)
        self.save(checkpoint)

    def _note(self, losses: list[float], held_out: Tensor) -> None:
        """Add a row to the curve: mean loss since the last row, PSNR of the moving average."""
        row = {
            "step": self.progress.step,
            "elapsed_s": round(self.progress.elapsed_s, 1),
            "loss": round(_mean(losses), 4),
            "val_psnr_db": validate(self.ema, held_out),
        }
        self.progress.curve.append(row)
        log.info("%s", row)


def _mean(losses: list[float]) -> float:
    finite = [x for x in losses if math.isfinite(x)]
    return sum(finite) / max(1, len(finite))
