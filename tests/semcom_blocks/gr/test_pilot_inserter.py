# SPDX-License-Identifier: GPL-3.0-or-later
"""Pilot Inserter: what was posted before it runs comes out in frames as it was posted."""

import time

import numpy as np
import pmt
import pytest
from gnuradio import blocks, gr

from semcom_blocks.gr import pdu
from semcom_blocks.gr.pilot_inserter import PilotInserter
from semcom_blocks.phy.header import FrameHeader

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
