# SPDX-License-Identifier: GPL-3.0-or-later
"""Bursts of the waveform from plain function calls."""

from typing import Any

import numpy as np

from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import Numerology

NUM = Numerology()


def burst(
    count: int, snr_db: float | None = 20.0, gap: int = 2000, seed: int = 0
) -> tuple[dict[str, Any], np.ndarray]:
    """``count`` frames of 600 analog symbols and a packet, ``gap`` samples around each.

    Returns what was sent (lists ``headers``, ``analog``, ``digital``, ``samples`` and
    ``starts``) and the stream behind an AWGN channel.
    """
    rng = np.random.default_rng(seed)
    sent: dict[str, Any] = {k: [] for k in ("headers", "analog", "digital", "samples", "starts")}
    stream, at = [np.zeros(gap, np.complex64)], gap
    for seq in range(count):
        analog = (rng.standard_normal((600, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
        digital = rng.bytes(60)
        header = FrameHeader(5, seq, len(digital), 2, 1, len(analog), 600 * seq)
        samples = modulate(build_grid(FrameLayout(NUM, header), digital, analog), NUM)
        for name, value in (("headers", header), ("analog", analog), ("digital", digital)):
            sent[name].append(value)
        sent["samples"].append(samples)
        sent["starts"].append(at)
        stream += [samples, np.zeros(gap, np.complex64)]
        at += len(samples) + gap
    channel = SoftwareChannel(ChannelConfig(snr_db=snr_db, seed=seed))
    return sent, channel.process(np.concatenate(stream))
