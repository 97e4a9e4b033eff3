# SPDX-License-Identifier: GPL-3.0-or-later
"""The same job through GNU Radio blocks and through plain function calls: identical to the bit."""

import numpy as np
import pytest

from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.link.arq import ArqConfig, SendPacket
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.link.sender import ArqSender
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.framer import Framer
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.receiver import receive
from semcom_blocks.phy.sync import FrameSync
from tests.semcom_blocks.gr.bench import until
from tests.semcom_blocks.gr.link import BlockLink, Settings

JOB_ID = 4242
NUM = Numerology()
BLIND = ArqConfig(feedback=False, repeats=2, payload_bytes=100)
WAYS = {
    "awgn": Settings(ChannelConfig(snr_db=12.0, seed=1), BLIND),
    "offsets": Settings(
        ChannelConfig(snr_db=15.0, cfo_hz=5000.0, sro_ppm=20.0, phase_noise_hz=5.0, seed=2), BLIND
    ),
    "rayleigh": Settings(
        ChannelConfig("rayleigh", snr_db=30.0, cfo_hz=-300.0, hold_power=True, seed=3), BLIND
    ),
    "multipath": Settings(
        ChannelConfig("multipath", snr_db=20.0, delay_spread_s=5e-7, sro_ppm=-40.0, seed=4),
        BLIND,
        estimator="ls",
        equalizer="zf",
        precoding="none",
    ),
    "single carrier": Settings(
        ChannelConfig("multipath", snr_db=20.0, delay_spread_s=5e-7, seed=8),
        BLIND,
        precoding="dft",
    ),
    "bands": Settings(ChannelConfig(snr_db=14.0, cfo_hz=2000.0, sro_ppm=15.0, seed=6), BLIND),
    "bands in multipath": Settings(
        ChannelConfig("multipath", snr_db=22.0, delay_spread_s=4e-7, seed=7), BLIND
    ),
    "front end": Settings(
        ChannelConfig(snr_db=25.0, iq_gain_db=0.3, iq_phase_deg=2.0, dc_offset_db=-25, adc_bits=8),
        BLIND,
        analog_per_frame=5000,
    ),
}


BANDS = BandTable((Band(None, 12, 0.3, 2), Band(1, 26, 0.6, 0), Band(9, 8, 0.1, 4)))


def job(lengths):
    rng = np.random.default_rng(5)
    streams = {
        stream_id: (rng.standard_normal((n, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
        for stream_id, n in lengths.items()
    }
    prompt = "".join(map(chr, rng.integers(0x4E00, 0x9FFF, 100)))
    told = tuple((stream_id, {"c": "x", "n": n}) for stream_id, n in lengths.items())
    return SemanticMessage(prompt, told).to_bytes(), streams


def plain_frames(settings, body, streams, bands):
    """All frames of the job in the order in which they are sent."""
    framer = Framer(settings.analog_per_frame, precoding=settings.precoding)
    if bands is not None:
        framer.open_bands(JOB_ID, bands)
    for stream_id, symbols in streams.items():
        framer.add_analog(JOB_ID, stream_id, symbols)
    for event in ArqSender(settings.arq, session=settings.session).submit(JOB_ID, body, 0.0):
        if isinstance(event, SendPacket):
            framer.add_packet(JOB_ID, event.data)
    return [*framer.frames(), *framer.end(JOB_ID)]


def plain_air(settings, sent, starts):
    """What a channel makes of the samples whose frames begin at ``starts``."""
    channel = SoftwareChannel(settings.channel)
    pieces = [channel.process(sent[: starts[0]])]
    for start, stop in zip(starts, [*starts[1:], len(sent)], strict=True):
        channel.start_block()
        pieces.append(channel.process(sent[start:stop]))
    return np.concatenate(pieces)


@pytest.mark.parametrize("way", WAYS)
def test_blocks_and_plain_calls_agree(way):
    settings, bands = WAYS[way], BANDS if "bands" in way else None
    body, streams = job({1: 7001} if bands is None else {1: 7001, 9: 2500})
    frames = plain_frames(settings, body, streams, bands)
    assert sum(bool(frame.digital) for frame in frames) >= 6
    assert sum(bool(len(frame.analog)) for frame in frames) >= 2

    link = BlockLink(settings, acks=False)
    received, passed = link.passed["equalizer.frames"], link.passed["equalizer.packets"]
    with link:
        link.submit(JOB_ID, body, streams, bands)
        until(lambda: len(received) >= len(frames) and link.ended(JOB_ID))
        # The packets take another way, in a thread of its own.
        until(lambda: len(passed) >= sum(bool(frame.digital) for frame in frames))
        until(lambda: link.delivered)

    # Where the gaps lie depends on the scheduler; what lies between them does not.
    sent, starts = link.sent.samples, link.sent.at("frame")
    assert len(starts) == len(frames)
    expected = np.zeros_like(sent)
    for frame, start in zip(frames, starts, strict=True):
        grid = build_grid(FrameLayout(NUM, frame.header), frame.digital, frame.analog)
        samples = modulate(grid, NUM)
        expected[start : start + len(samples)] = samples
    assert np.array_equal(sent, expected)

    air = plain_air(settings, sent, starts)
    assert len(link.air.samples) > starts[-1]
    assert np.array_equal(link.air.samples, air[: link.air.count])

    captures = FrameSync(NUM).push(air)
    assert len(received) == len(captures) == len(frames)
    read = [receive(capture, NUM, settings.estimator, settings.equalizer) for capture in captures]
    for frame, plain, (meta, analog) in zip(frames, read, received, strict=True):
        assert meta["header"].tobytes() == plain.header.to_bytes() == frame.header.to_bytes()
        assert np.array_equal(analog, plain.payload.analog)
        assert np.array_equal(meta["symbol_noise_var"], plain.payload.noise_var)
        assert np.array_equal(meta["constellation"], plain.payload.symbols)
        assert np.array_equal(meta["channel"], plain.channel.response)
        measured = {**plain.info.to_dict(), "start_sample": plain.info.timing_sample}
        for name in ("snr_db", "cfo_hz", "sro_ppm", "evm_db", "start_sample", "power_dbfs"):
            assert meta[name] == measured[name], name
        assert meta.get("band_snr_db", []) == list(plain.info.band_snr_db)
        assert bool(plain.info.band_snr_db) == (bands is not None and not frame.header.end)
        for name in ("noise_var", "delay_spread"):
            assert np.array_equal(meta[name], measured[name], equal_nan=True), name
    digital = [plain.payload.digital for plain in read if plain.payload.digital]
    assert [packet.tobytes() for _, packet in passed if len(packet)] == digital
    assert link.delivered == [(JOB_ID, body)]
