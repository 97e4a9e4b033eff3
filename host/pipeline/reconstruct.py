# SPDX-License-Identifier: GPL-3.0-or-later
"""From received symbols to a picture, and what an ideal channel would have given."""

from __future__ import annotations

from typing import Any

import numpy as np

from host.client import HostClient
from host.pipeline.records import Reception

# The ideal channel's noise must not be the radio channel's: same seed, another stream.
IDEAL_STREAM = 1


def received_picture(client: HostClient, reception: Reception | None) -> np.ndarray | None:
    """The received picture, uint8 (H, W, 3); ``None`` when its descriptor did not arrive."""
    stream = reception.picture_stream() if reception is not None else None
    if stream is None or stream.descriptor is None:
        return None
    filled = stream.filled(int(stream.descriptor.get("n", len(stream.symbols))))
    return client.decode(filled.symbols, filled.noise_var, stream.descriptor)


def ideal_awgn(symbols: np.ndarray, snr_db: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``symbols`` (unit mean power) plus complex white noise of variance 10^(-snr_db/10).

    Returns complex64 (k,) and the noise variance of each, float32 (k,).
    """
    rng = np.random.default_rng([seed, IDEAL_STREAM])
    noise_var = 10 ** (-snr_db / 10)
    noise = rng.standard_normal((len(symbols), 2)) @ np.array([1, 1j]) * np.sqrt(noise_var / 2)
    return (
        (symbols + noise).astype(np.complex64),
        np.full(len(symbols), noise_var, np.float32),
    )


def ideal_quality(
    client: HostClient,
    original: np.ndarray,
    symbols: np.ndarray,
    descriptor: dict[str, Any],
    snr_db: float,
    seed: int,
) -> dict[str, Any]:
    """Quality of ``symbols`` decoded behind an ideal AWGN channel of ``snr_db``."""
    noisy, noise_var = ideal_awgn(symbols, snr_db, seed)
    return client.quality(original, client.decode(noisy, noise_var, descriptor))
