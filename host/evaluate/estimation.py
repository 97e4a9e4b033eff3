# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel estimators on the same frames: error of the estimate, bit errors, pictures.

A frame here is a response, LS over its known cells, and payload cells Y = H X + W, so that only
the estimate makes a difference. Shapes: B frames, n carriers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from host.metrics import psnr_db
from host.train.channel_draws import Drawn, genie
from semcom_blocks.phy import equalizer, qam

if TYPE_CHECKING:
    from models.channel.estimator import ChannelEstimator
    from models.image_codec import ImageCodec

Record = dict[str, Any]
METHODS = ("ls", "lmmse", "l2", "cgan", "genie")
MODULATIONS = (2, 4)  # bits per symbol
PICTURES = 12  # of a case and SNR
SYMBOLS = 22  # of payload in a frame: a short one, where the estimate counts most


@dataclass(frozen=True)
class Estimators:
    """The two networks beside what needs none."""

    l2: ChannelEstimator
    cgan: ChannelEstimator

    def all(self, drawn: Drawn, known: bool = True) -> dict[str, np.ndarray]:
        """Responses complex64 (B,n) by method; ``known``: whether the profile is, for the genie."""
        observed = drawn.observed
        found = {"ls": observed.ls, "lmmse": observed.start}
        found |= {
            name: getattr(self, name).estimate(observed, drawn.freedom) for name in ("l2", "cgan")
        }
        return found | ({"genie": genie(drawn)} if known else {})


def nmse_db(true: np.ndarray, estimate: np.ndarray) -> float:
    """10 lg Σ|Ĥ − H|² / Σ|H|²."""
    error = np.sum(np.abs(estimate - true) ** 2)
    return float(10 * np.log10(error / np.sum(np.abs(true) ** 2)))


@dataclass(frozen=True)
class Payload:
    """Cells of a frame's payload: ``sent`` and ``noise`` complex64 (B,m,n), noise of variance 1."""

    sent: np.ndarray
    noise: np.ndarray

    def received(self, true: np.ndarray, snr_db: float) -> np.ndarray:
        """Y = H X + W, complex64 (B,m,n)."""
        level = np.float32(10 ** (-snr_db / 20))
        return true[:, None] * self.sent + level * self.noise


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard complex normal, complex64."""
    parts = rng.standard_normal((*shape, 2), dtype=np.float32) * np.float32(np.sqrt(0.5))
    return parts.view(np.complex64)[..., 0]


def draw_bits(
    rng: np.random.Generator, frames: int, carriers: int, bits: int
) -> tuple[np.ndarray, Payload]:
    """Random bits uint8 (k,), and the payload that carries them."""
    shape = (frames, SYMBOLS, carriers)
    sent = rng.integers(0, 2, int(np.prod(shape)) * bits, dtype=np.uint8)
    cells = qam.modulate(sent, bits).reshape(shape)
    return sent, Payload(cells, normal(rng, *shape))


def bit_error_ratio(
    bits: np.ndarray, received: np.ndarray, response: np.ndarray, bits_per_symbol: int
) -> float:
    """Uncoded: nearest point after division by the response."""
    small = np.abs(response) < 1e-9
    points = (received / np.where(small, 1, response)[:, None]).reshape(-1).astype(np.complex64)
    variance = np.ones(points.size, np.float32)  # of no weight: the sign alone decides
    return float(np.mean((qam.demodulate(points, variance, bits_per_symbol) < 0) != bits))


def bit_errors(
    true: np.ndarray, found: dict[str, np.ndarray], snr_db: float, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Uncoded bit error ratio by modulation and method; ``known`` is with the channel itself."""
    table = {}
    for bits in MODULATIONS:
        sent, payload = draw_bits(rng, *true.shape, bits)
        received = payload.received(true, snr_db)
        table[f"{2**bits}-QAM"] = {
            name: bit_error_ratio(sent, received, response, bits)
            for name, response in {**found, "known": true}.items()
        }
    return table


def picture_quality(
    codec: ImageCodec,
    image: np.ndarray,
    true: np.ndarray,
    found: dict[str, np.ndarray],
    snr_db: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Mean PSNR in dB by method of ``image`` in JSCC symbols, PICTURES times over other frames."""
    symbols, descriptor = codec.encode(image, "1/6", snr_db, fading=True)
    per_frame = SYMBOLS * true.shape[1]
    frames = -(-len(symbols) // per_frame)
    noise_var = 10 ** (-snr_db / 10)
    scores: dict[str, list[float]] = {}
    sets = min(len(true) // frames, PICTURES)
    for first in range(0, sets * frames, frames):
        rows = slice(first, first + frames)
        order = rng.permutation(frames * per_frame)  # as the link scatters them
        cells = np.ones(frames * per_frame, np.complex64)
        cells[order[: len(symbols)]] = symbols
        shape = (frames, SYMBOLS, true.shape[1])
        payload = Payload(cells.reshape(shape), normal(rng, *shape))
        received = payload.received(true[rows], snr_db)
        for name, response in {**found, "known": true}.items():
            got, error = _equalised(received, response[rows], noise_var)
            picked = order[: len(symbols)]
            decoded = codec.decode(got[picked], error[picked], descriptor)
            scores.setdefault(name, []).append(psnr_db(image, decoded))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def _equalised(
    received: np.ndarray, response: np.ndarray, noise_var: float
) -> tuple[np.ndarray, np.ndarray]:
    """The receiver's own equaliser on each frame: all symbols and error variances in a row."""
    done = [
        equalizer.equalize(cells, values, noise_var)
        for cells, values in zip(received, response, strict=True)
    ]
    cells = np.concatenate([one.cells.reshape(-1) for one in done])
    error = [np.broadcast_to(one.noise_var, one.cells.shape).reshape(-1) for one in done]
    return cells, np.concatenate(error).astype(np.float32)


def measure(
    case: str,
    family: str,
    draw: Callable[[float, np.random.Generator], Drawn],
    snrs_db: tuple[float, ...],
    estimators: Estimators,
    seed: int,
    picture: tuple[ImageCodec, np.ndarray] | None = None,
) -> list[Record]:
    """A row for each SNR of frames that ``draw(snr_db, rng)`` gives."""
    rows = []
    for snr_db in snrs_db:
        drawn = draw(snr_db, np.random.default_rng([seed, len(case), int(snr_db) + 100]))
        # Of GNU Radio's own channel nobody knows delays and powers exactly.
        found = estimators.all(drawn, known=family != "c")
        rows.append(row(case, family, snr_db, drawn.true, found, seed, picture))
    return rows


def row(
    case: str,
    family: str,
    snr_db: float,
    true: np.ndarray,
    found: dict[str, np.ndarray],
    seed: int,
    picture: tuple[ImageCodec, np.ndarray] | None = None,
) -> Record:
    """All figures of one case at one SNR."""
    rng = np.random.default_rng([seed, 1])
    record: Record = {
        "case": case,
        "family": family,
        "snr_db": snr_db,
        "frames": len(true),
        "nmse_db": {name: nmse_db(true, response) for name, response in found.items()},
        "ber": bit_errors(true, found, snr_db, rng),
    }
    if picture is not None:
        record["psnr_db"] = picture_quality(*picture, true, found, snr_db, rng)
    return record


def targets(rows: list[Record]) -> list[Record]:
    """The goals, the worst case of each for every network, and whether it is met."""
    found = []
    for name in ("cgan", "l2"):
        gain = [(r["nmse_db"]["ls"] - r["nmse_db"][name], r) for r in rows]
        low = [(g, r) for g, r in gain if r["snr_db"] <= 15]
        near = [
            (r["nmse_db"][name] - r["nmse_db"]["genie"], r)
            for r in rows
            if r["family"] == "a" and 0 <= r["snr_db"] <= 20
        ]
        found += [
            _target(name, "worse than LS by at most 0.1 dB anywhere", gain, min, -0.1),
            _target(name, "better than LS by 3 dB or more up to 15 dB", low, min, 3.0),
            _target(name, "within 0.5 dB of the genie on (a) from 0 to 20 dB", near, max, 0.5),
        ]
    return found


def _target(
    name: str, text: str, values: list[tuple[float, Record]], worst: Callable, limit: float
) -> Record:
    value, where = worst(values, key=lambda pair: pair[0])
    good = sum((v >= limit) if worst is min else (v <= limit) for v, _ in values)
    return {
        "method": name,
        "target": text,
        "limit_db": limit,
        "worst_db": value,
        "where": f"{where['case']}, {where['snr_db']:g} dB",
        "points": len(values),
        "points_met": int(good),
        "met": good == len(values),
    }
