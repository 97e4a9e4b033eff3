# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames through GNU Radio's own fading model, in a process of the radio's interpreter.

The frames stand far apart, so that the channel changes between them. They pass once without noise:
LS over all their cells then is the channel, and noise is added to the known cells in any strength.
Windows stand where a synchroniser would put them for the first path.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.evaluate.estimation import SYMBOLS, normal
from host.supervise.radio_task import radio_task
from host.train.channel_draws import Drawn, Paths
from models.channel.observed import Observed
from semcom_blocks.phy import estimators
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.demodulator import frame_grid
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.known import KnownCells
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_field, long_start

#: Selective fading: delays in samples with their magnitudes; 4 Hz of Doppler at 1 MS/s.
MODEL: dict[str, Any] = {
    "doppler_turns": 4e-6,
    "line": False,
    "rice_factor": 4.0,
    "seed": 7,
    "delays": [2.0, 2.7, 3.9, 5.6],
    "magnitudes": [1.0, 0.7, 0.5, 0.3],
    "taps": 14,
}
GAP = 40_000  # samples between frames, in which the channel changes
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Faded:
    """``known`` cells of each frame without noise, with what was sent on them, ``true``
    complex64 (B,n) and the profile."""

    numerology: Numerology
    known: list[KnownCells]
    reference: KnownCells
    true: np.ndarray
    paths: Paths

    def drawn(self, snr_db: float, rng: np.random.Generator) -> Drawn:
        """The frames in white noise."""
        noise_var = 10 ** (-snr_db / 10)
        level, fits = np.float32(np.sqrt(noise_var)), []
        for cells in self.known:
            noisy = KnownCells(
                cells.rows + level * normal(rng, *cells.rows.shape),
                cells.comb + level * normal(rng, *cells.comb.shape),
            )
            fits.append(estimators.fit_known(noisy, self.reference, self.numerology))
        ls, weight, found = (np.stack(values) for values in zip(*fits, strict=True))
        size = self.reference.rows.size + self.reference.comb.size
        return Drawn(
            self.true,
            Observed.of(ls, weight, found, self.numerology),
            np.full(len(ls), size - self.numerology.n_used),
            np.mean(noise_var / weight, axis=1),
            self.paths,
        )


def faded(count: int, seed: int, model: dict[str, Any] | None = None) -> Faded:
    """``count`` frames through the model; raises :class:`PeerError` where the radio's Python fails.

    The channels are scaled to a mean power of 1.
    """
    num, rng = Numerology(), np.random.default_rng(seed)
    model = {**(model or MODEL), "seed": seed}
    layout = FrameLayout(num, FrameHeader(1, 0, stream_id=1, analog_symbols=SYMBOLS * num.n_data))
    frames = [build_grid(layout, b"", normal(rng, SYMBOLS * num.n_data)) for _ in range(count)]
    bursts = [modulate(frame, num) for frame in frames]
    spacing = len(bursts[0]) + GAP
    stream = np.zeros((count, spacing), np.complex64)
    stream[:, : len(bursts[0])] = bursts
    arrived = _through(stream.reshape(-1), model)
    # The window of the first long symbol, early by as much as a synchroniser places it.
    early = round(model["delays"][0]) - backoff(num)
    first = long_start(num) + early
    known, responses = [], []
    for index, grid in enumerate(frames):
        samples = arrived[index * spacing + first : (index + 1) * spacing]
        long, cells = frame_grid(samples, layout.n_symbols, 0.0, num)
        known.append(layout.select(cells).below(long))
        sent = np.concatenate([long_field(num), grid])
        got = np.concatenate([long, cells])
        responses.append(np.sum(np.conj(sent) * got, 0) / np.sum(np.abs(sent) ** 2, 0))
    true = np.stack(responses)
    scale = 1 / np.sqrt(np.mean(np.abs(true) ** 2))
    scaled = [KnownCells(k.rows * scale, k.comb * scale) for k in known]
    reference = layout.known_cells.below(long_field(num))
    powers = np.array(model["magnitudes"]) ** 2
    paths = Paths(
        np.tile(np.array(model["delays"]) - early, (count, 1)),
        np.tile(powers / powers.sum(), (count, 1)),
        np.zeros(count),
    )
    return Faded(num, scaled, reference, (true * scale).astype(np.complex64), paths)


def _through(samples: np.ndarray, model: dict[str, Any]) -> np.ndarray:
    with tempfile.TemporaryDirectory(prefix="semcom-fading-") as folder:
        path, target = Path(folder) / "sent.cf32", Path(folder) / "arrived.cf32"
        samples.tofile(path)
        request = {"path": str(path), "target": str(target), "model": model}
        radio_task("fade", request, TIMEOUT_S)
        return np.fromfile(target, np.complex64)
