# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture's latents over the receiver, and over an ideal channel of equal SNR.

What the receiver loses in symbols must not grow on the way through the decoder: the
embedded codec's PSNR behind the software channel is held against that of the same latents
in white noise alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link import air, paths
from host.bench.link.intervals import mean
from semcom_blocks.phy.interleave import gather, spread
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.precoding import DEFAULT_PRECODING
from semcom_blocks.phy.receiver import receive

PHOTO = "chelsea"
RATE = "1/6"
#: Analog symbols of a frame, as the transmitter's default.
PER_FRAME = 8192
CHUNK = 1


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    channel: str = "awgn",
) -> dict[str, np.ndarray]:
    """Send the photo ``n_frames`` times; ``psnr_db`` and ``psnr_ideal_db``, float64 (n_frames,)."""
    # torch is needed here alone: the other curves' workers shall not wait for it.
    import torch

    from host.images import load_image
    from host.metrics import psnr_db
    from models.image_codec import ImageCodec

    torch.set_num_threads(1)
    codec = ImageCodec.load()
    photo = load_image(PHOTO).pixels
    latents, descriptor = codec.encode(photo, RATE, snr_db)
    rows = np.empty((n_frames, 2))
    for row in rows:
        symbols, noise_var = _received(latents, numerology, rng, snr_db, channel)
        row[0] = psnr_db(photo, codec.decode(symbols, noise_var, descriptor))
        variance = np.float32(10 ** (-snr_db / 10))
        noisy = latents + air.gaussian(rng, len(latents)) * np.sqrt(variance)
        told = np.full(len(latents), variance, np.float32)
        row[1] = psnr_db(photo, codec.decode(noisy, told, descriptor))
    return {"psnr_db": rows[:, 0], "psnr_ideal_db": rows[:, 1]}


def _received(
    latents: np.ndarray,
    numerology: Numerology,
    rng: np.random.Generator,
    snr_db: float,
    channel: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Latents and their error variances behind the receiver; a lost frame's are erased."""
    symbols = np.zeros(len(latents), np.complex64)
    noise_var = np.full(len(latents), np.inf, np.float32)
    on_air = spread(latents)
    for start in range(0, len(latents), PER_FRAME):
        piece = slice(start, start + PER_FRAME)
        sent = air.build(numerology, on_air[piece], precoding=DEFAULT_PRECODING)
        path = paths.draw(channel, numerology, rng)
        cfo_hz = air.random_cfo_hz(numerology, rng)
        capture = air.find(air.send(sent, path, rng, snr_db=snr_db, cfo_hz=cfo_hz), sent)
        if capture is not None:
            payload = receive(capture, numerology).payload
            symbols[piece], noise_var[piece] = payload.analog, payload.noise_var
    return gather(symbols), gather(noise_var)


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """Mean PSNRs and the loss in dB."""
    return {
        "pictures": len(raw["psnr_db"]),
        **mean(raw["psnr_db"]).keys("psnr_db"),
        **mean(raw["psnr_ideal_db"]).keys("psnr_ideal_db"),
        **mean(raw["psnr_ideal_db"] - raw["psnr_db"]).keys("loss_db"),
    }
