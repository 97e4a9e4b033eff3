# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole frames in bands over block Rayleigh fading, by the pure core: the dense curve.

Modulator, fade, noise, synchroniser, channel estimate, equaliser, decoder; a new fade each frame.
A packet is lost whatever the reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link.intervals import proportion
from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.phy import qam
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import receive
from semcom_blocks.phy.sync import FrameSync

JOB_ID, STREAM = 9, 1
SILENCE = 600  # samples of noise alone around a frame
PACKET_BYTES = 110
EDGE_SYMBOLS = 264
#: Equal carriers and power for prompt and edges, both QPSK.
EQUAL = BandTable((Band(None, 24, 0.5, 2), Band(STREAM, 24, 0.5, 2)))


def header_of(table: BandTable, symbols: int, digital: int, seq: int = 0) -> FrameHeader:
    """Of a frame with a packet of ``digital`` bytes and ``symbols`` of the one stream."""
    return FrameHeader(
        JOB_ID,
        seq,
        digital_bytes=digital,
        bits_per_symbol=table.bands[0].bits_per_symbol,
        bands=table,
        band_chunks=((0, symbols),) * (len(table.bands) - 1),
    )


def gain_of(table: BandTable, band: int, numerology: Numerology) -> float:
    """SNR of a band's cells over that at unit power."""
    return float(table.amplitudes(numerology)[band] ** 2)


def measure(
    mean_db: float, frames: int, rng: np.random.Generator, table: BandTable = EQUAL
) -> dict[str, Any]:
    """Share of packets lost and of stream bits wrong at a mean SNR at unit power."""
    numerology = Numerology()
    per_symbol = table.bands[1].bits_per_symbol
    lost, missed, wrong, bits_seen, told = 0, 0, 0, 0, []
    config = ChannelConfig(
        snr_db=mean_db,
        sample_rate_hz=numerology.sample_rate_hz,
        symbol_energy=numerology.symbol_energy,
    )
    for seq in range(frames):
        packet = rng.bytes(PACKET_BYTES)
        bits = rng.integers(0, 2, per_symbol * EDGE_SYMBOLS, dtype=np.uint8)
        layout = FrameLayout(numerology, header_of(table, EDGE_SYMBOLS, len(packet), seq))
        grid = build_grid(layout, packet, qam.modulate(bits, per_symbol))
        fade = (rng.standard_normal(2) * np.sqrt(0.5)).view(complex)[0]
        samples = np.pad(modulate(grid, numerology) * np.complex64(fade), SILENCE)
        sync = FrameSync(numerology)
        heard = SoftwareChannel(config, rng).process(samples)
        captures = [c for c in sync.push(heard) + sync.flush() if c.header == layout.header]
        if not captures:
            lost, missed = lost + 1, missed + 1
            continue
        frame = receive(captures[0], numerology)
        lost += frame.payload.digital != packet
        told.append(frame.info.band_snr_db[0])
        llr = qam.demodulate(frame.payload.analog, frame.payload.noise_var, per_symbol)
        wrong += int(np.count_nonzero((llr < 0) != bits))
        bits_seen += len(bits)
    return {
        "mean_snr_db": mean_db,
        "prompt_snr_db": mean_db + 10 * np.log10(gain_of(table, 0, numerology)),
        "frames": frames,
        **proportion(lost, frames).keys("per"),
        "not_found": missed,
        "edge_ber": wrong / max(bits_seen, 1),
        "told_snr_db": float(10 * np.log10(np.mean(10 ** (np.array(told) / 10)))) if told else None,
    }
