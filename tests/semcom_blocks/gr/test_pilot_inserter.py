# SPDX-License-Identifier: GPL-3.0-or-later
"""Pilot Inserter: what was posted before it runs comes out in frames as it was posted."""

import time

import numpy as np
import pmt
import pytest
from gnuradio import blocks, gr

from semcom_blocks.gr import pdu
from semcom_blocks.gr.pilot_inserter import PilotInserter
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.header import FrameHeader
from tests.semcom_blocks.gr.bench import Bench, send, until

WAIT_S = 5.0


def frames(posted, expected):
    """Headers of the grids that a Pilot Inserter makes of PDUs that wait when it starts."""
    top = gr.top_block("pilots", catch_exceptions=False)
    pilots, store = PilotInserter(analog_per_frame=1000), blocks.message_debug()
    top.msg_connect(pilots, "grid", store, "store")
    for meta, vector in posted:
        pilots.to_basic_block()._post(pmt.intern("payload"), pdu.make(meta, vector))
    top.start()
    end_s = time.monotonic() + WAIT_S
    while store.num_messages() < expected and time.monotonic() < end_s:
        time.sleep(0.005)
    top.stop()
    top.wait()
    grids = [pdu.parse(store.get_message(i)) for i in range(store.num_messages())]
    return [FrameHeader.from_bytes(meta["header"].tobytes()) for meta, _ in grids]


def packet(job_id, left=0):
    return {"job_id": job_id, "attempt": 1, "burst_left": left}, bytes(range(40))


def analog(job_id, n):
    return {"job_id": job_id, "stream_id": 3}, np.ones(n, np.complex64)


@pytest.mark.parametrize("job_id", range(5))
def test_symbols_that_came_before_their_packet_share_its_frame(job_id):
    first, second, third = frames([analog(job_id, 2500), packet(job_id)], 3)
    assert (first.digital_bytes, first.analog_symbols > 0, first.stream_id) == (40, True, 3)
    assert first.analog_symbols + second.analog_symbols + third.analog_symbols == 2500
    assert second.digital_bytes == third.digital_bytes == 0


def test_end_of_job_comes_behind_its_symbols_even_if_all_wait_at_once():
    """Without feedback the sender posts all packets and the end of the job in one go."""
    end = {"job_id": 9, "job_end": True}, b""
    headers = frames([analog(9, 1000), packet(9, 1), packet(9), end], 5)
    assert [header.end for header in headers] == [False, False, True, True, True]
    assert headers[0].analog_symbols == 1000
    assert headers[-1].analog_offset == 2  # frames sent before


# -- bands -------------------------------------------------------------------------------

TABLE = BandTable((Band(None, 12, 0.3, 2), Band(3, 36, 0.7, 4)))
#: Twelve frames of 20 rows, of which four may be ahead: they last 3.9 ms, with a packet 4.6 ms.
N = 12 * 20 * 36
MAX_AHEAD, AHEAD_S = 4, 0.0135


class Inserter(Bench):
    """A Pilot Inserter in a flowgraph of its own, with what came out of it."""

    def __init__(self):
        super().__init__()
        self.pilots = PilotInserter(analog_per_frame=960)
        self.grids = self.collect(self.pilots, "grid").pdus

    def post(self, meta, vector=b"", port="payload"):
        send(self.pilots, port, meta, vector)

    def begin(self, job_id=1, n=N):
        self.post({"job_id": job_id, "bands": TABLE.to_bytes()})
        self.post(*analog(job_id, n))
        self.post(*packet(job_id))

    def settle(self):
        """Wait until everything was taken from ``payload``: ports have no order among them."""
        until(lambda: self.pilots.to_basic_block().nmsgs(pmt.intern("payload")) == 0)

    @property
    def headers(self):
        return [FrameHeader.from_bytes(meta["header"].tobytes()) for meta, _ in list(self.grids)]

    def tell(self, *seqs):
        for seq in seqs:
            self.post({"job_id": 1, "seq": seq, "frame_samples": 1}, port="sent")


@pytest.fixture
def inserter(monkeypatch):
    """One whose patience no test outlasts."""
    monkeypatch.setattr("semcom_blocks.phy.frames_ahead.PATIENCE_S", 60.0)
    monkeypatch.setattr("semcom_blocks.phy.frames_ahead.AHEAD_S", AHEAD_S)
    with Inserter() as made:
        yield made


def test_frames_of_bands_go_as_earlier_ones_are_on_the_air(inserter):
    inserter.begin()
    until(lambda: len(inserter.grids) == MAX_AHEAD)
    inserter.tell(0, 99)
    until(lambda: len(inserter.grids) == MAX_AHEAD + 1)
    # What was built is fixed; what was not takes the packet that is sent again.
    inserter.post(*packet(1))
    inserter.post({"job_id": 1, "job_end": True})
    inserter.settle()
    inserter.tell(1, 2)
    until(lambda: len(inserter.grids) == MAX_AHEAD + 3)
    assert [h.digital_bytes for h in inserter.headers] == [40, 0, 0, 0, 0, 40, 0]
    assert [meta["urgent"] for meta, _ in inserter.grids] == [
        h.digital_bytes > 0 for h in inserter.headers
    ]
    assert all(h.n_analog > 0 and h.bands == TABLE for h in inserter.headers)
    # The end of the job waits for its streams.
    assert not any(h.end for h in inserter.headers)
    told = set()
    while not any(h.end for h in inserter.headers):
        fresh = {h.seq for h in inserter.headers} - told
        told |= fresh
        before = len(inserter.grids)
        inserter.tell(*fresh)
        until(lambda before=before: len(inserter.grids) > before)
    until(lambda: len(inserter.headers) == 15)
    assert [h.end for h in inserter.headers] == [False] * 12 + [True] * 3
    assert inserter.headers[-1].analog_offset == 12
    assert sum(h.n_analog for h in inserter.headers) == N
    assert inserter.pilots.refused == 0


def test_a_job_without_bands_does_not_wait(inserter):
    inserter.begin()
    inserter.post(*analog(2, 5000))
    inserter.post(*packet(2))
    until(lambda: len(inserter.grids) == MAX_AHEAD + 6)
    assert [h.job_id for h in inserter.headers] == [1] * MAX_AHEAD + [2] * 6
    inserter.post({"job_id": 2, "job_end": True})
    until(lambda: sum(h.end for h in inserter.headers) == 3)


def test_where_nobody_tells_all_frames_go_in_the_end(monkeypatch):
    monkeypatch.setattr("semcom_blocks.phy.frames_ahead.PATIENCE_S", 0.1)
    with Inserter() as inserter:
        inserter.begin()
        inserter.post({"job_id": 1, "job_end": True})
        until(lambda: len(inserter.grids) == 15)
        # Once known, nothing is held back any more.
        inserter.begin(2)
        until(lambda: len(inserter.grids) == 27)
    assert sum(h.n_analog for h in inserter.headers) == 2 * N


def test_a_refused_message_drops_the_streams_of_its_bands(inserter):
    inserter.post({"job_id": 1, "bands": TABLE.to_bytes()})
    inserter.post(*analog(1, N))
    inserter.post({"job_id": 1, "job_end": True})
    until(lambda: len(inserter.grids) == 3)
    assert [(h.end, h.analog_offset) for h in inserter.headers] == [(True, 0)] * 3
    inserter.begin(2, 100)
    until(lambda: len(inserter.grids) == 4)
    assert inserter.headers[-1].job_id == 2


def test_tables_that_are_none_are_counted(inserter):
    inserter.post({"job_id": 1, "bands": TABLE.to_bytes()[:-1]})
    inserter.post({"job_id": 1, "bands": BandTable((Band(None, 49, 1.0, 2),)).to_bytes()})
    inserter.post({"job_id": 1, "bands": BandTable((Band(None, 1, 1.0, 2),)).to_bytes()})
    inserter.begin(2, 100)
    until(lambda: len(inserter.grids) == 1)
    assert inserter.pilots.refused == 3
