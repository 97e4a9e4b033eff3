# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in bands through the whole link: the prompt exact, the streams whole, both in one frame."""

import numpy as np
import pytest

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.link.arq import ArqConfig
from semcom_blocks.link.packets import Packet
from semcom_blocks.phy import qam
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.header import FrameHeader
from tests.semcom_blocks.gr.bench import until
from tests.semcom_blocks.gr.link import BlockLink, Settings
from tests.semcom_blocks.gr.test_arq_blocks import Lossy

TABLE = BandTable((Band(None, 12, 0.3, 2), Band(1, 24, 0.5, 4), Band(2, 12, 0.2, 1)))

#: Small packets, and timers that do not take a busy machine for a loss.
PATIENT = {"payload_bytes": 40, "initial_rto_s": 0.3, "min_rto_s": 0.1, "give_up_s": 60.0}


def points(n, bits_per_symbol, seed):
    bits = np.random.default_rng(seed).integers(0, 2, n * bits_per_symbol, dtype=np.uint8)
    return qam.modulate(bits, bits_per_symbol)


def carry(link, body, streams):
    """Send a job; returns headers and received streams."""
    with link:
        link.submit(1, body, streams, TABLE)
        received = link.passed["equalizer.frames"]
        until(lambda: link.ended(1) and received and header(received[-1]).end, 60.0)
    frames = [(header(frame), *frame) for frame in received]
    found = {n: np.full(len(symbols), np.nan, np.complex64) for n, symbols in streams.items()}
    for head, _, analog in frames:
        at = 0
        for chunk in head.chunks:
            place = slice(chunk.offset, chunk.offset + chunk.symbols)
            found[chunk.stream_id][place] = analog[at : at + chunk.symbols]
            at += chunk.symbols
    return frames, found


def header(frame):
    return FrameHeader.from_bytes(frame[0]["header"].tobytes())


def decided(symbols, bits_per_symbol):
    noise_var = np.ones(len(symbols), np.float32)
    return qam.demodulate(symbols, noise_var, bits_per_symbol) < 0


def test_lost_packets_ride_beside_the_streams_which_go_on():
    """A quarter of the packets and of the acks is lost; the streams need no second try."""
    streams = {1: points(50_000, 4, 1), 2: points(9000, 1, 2)}
    body = np.random.default_rng(3).bytes(600)
    packets, acks = Lossy(0.25, seed=4), Lossy(0.25, seed=5)
    settings = Settings(
        ChannelConfig(snr_db=22.0, seed=6), ArqConfig(**PATIENT), analog_per_frame=960
    )
    link = BlockLink(settings, lossy=packets, acks=False)
    link.message(link.arq_receiver, "ack", acks, "in")
    link.message(acks, "out", link.arq, "ack")
    frames, found = carry(link, body, streams)
    assert link.delivered == [(1, body)]
    assert packets.dropped >= 2
    for band in TABLE.bands[1:]:
        wanted = decided(streams[band.stream_id], band.bits_per_symbol)
        assert np.array_equal(decided(found[band.stream_id], band.bits_per_symbol), wanted)
    heads = [head for head, _, _ in frames if not head.end]
    assert all(head.bands == TABLE for head in heads)
    # Packets come out in the order of their frames.
    carriers = [head for head in heads if head.digital_bytes]
    came = [data.tobytes() for _, data in link.passed["equalizer.packets"] if len(data)]
    again = [
        head
        for head, data in zip(carriers, came, strict=True)
        if Packet.from_bytes(data).attempt > 1
    ]
    assert any(head.n_analog for head in again)
    assert link.pilots.refused == link.modulator.refused == link.equalizer.refused == 0


def test_the_sender_learns_the_snr_of_each_band():
    snr_db = 12.0
    link = BlockLink(Settings(ChannelConfig(snr_db=snr_db, seed=1)))
    frames, _ = carry(link, b"a cat", {1: points(500, 4, 1), 2: points(500, 1, 2)})
    told = [meta["band_snr_db"] for meta, _ in link.passed["arq.status"] if "band_snr_db" in meta]
    assert told and len(told[-1]) == 3
    assert told[-1] == pytest.approx([snr_db] * 3, abs=2.0)
    measured = [meta["band_snr_db"] for head, meta, _ in frames if head.bands]
    assert np.array_equal(np.round(np.array(told[-1]) * 4), np.round(np.array(measured[0]) * 4))


@pytest.mark.parametrize("table", [TABLE, BandTable((Band(None, 30, 0.9, 4),))])
def test_without_an_answer_every_stream_still_goes_out(table):
    """No feedback: all copies of the packets and the end of the job are posted in one go."""
    streams = {1: points(9000, 4, 1), 2: points(100, 1, 2)} if len(table.bands) > 1 else {}
    settings = Settings(
        ChannelConfig(snr_db=25.0), ArqConfig(feedback=False, repeats=4), analog_per_frame=480
    )
    link = BlockLink(settings, acks=False)
    with link:
        link.submit(1, bytes(600), streams, table)
        until(lambda: link.ended(1))
        until(lambda: link.delivered)
    heads = [header(frame) for frame in link.passed["pilots.grid"]]
    assert sum(bool(head.digital_bytes) for head in heads) == 12
    assert sum(head.n_analog for head in heads) == sum(map(len, streams.values()))
    assert [head.end for head in heads[-3:]] == [True] * 3
    assert heads[-1].analog_offset == len(heads) - 3
