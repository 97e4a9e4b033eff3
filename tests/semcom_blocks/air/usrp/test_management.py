# SPDX-License-Identifier: GPL-3.0-or-later
"""The way through the device, walked as libuhd walks it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.air.usrp.chdr import ChdrError
from semcom_blocks.air.usrp.endpoint import StreamEndpoint
from semcom_blocks.air.usrp.management import Fabric, Op

INFO, RETURN, NOP = Op.INFO << 8, Op.RETURN << 8, 0
ASKING = [[INFO, RETURN], [NOP]]
HOST = 7


def select(port):
    return Op.SELECT << 8 | port << 16


def walk(fabric, hops):
    words = [op | len(hop) - 1 - i for hop in hops for i, op in enumerate(hop)]
    answer = fabric.answer((HOST | len(hops) << 16, *words), 0)
    if answer is None:
        return None
    host, payload = answer
    assert host == HOST
    return struct.unpack(f"<{len(payload) // 8}Q", payload)[1:]


@pytest.fixture
def fabric():
    starts = []
    ends = [StreamEndpoint(lambda i=i: starts.append(i), lambda bits: None) for i in (0, 1)]
    made = Fabric(ends)
    made.device_id = 0x55
    made.starts = starts
    return made


@pytest.mark.parametrize(
    ("way", "kind", "instance"),
    [
        ([], 3, 0),
        ([[NOP]], 1, 0),
        ([[NOP], [select(1)]], 2, 0),
        ([[NOP], [select(2)]], 2, 1),
    ],
)
def test_nodes_tell_what_they_are(fabric, way, kind, instance):
    nop, info = walk(fabric, [*way, *ASKING])
    assert nop == 1  # one operation follows
    payload = info >> 16
    assert (payload & 0xFFFF, payload >> 16 & 15, payload >> 20 & 0x3FF) == (0x55, kind, instance)


@pytest.mark.parametrize("way", [[[NOP], [select(3)]], [[NOP], [NOP]], [[NOP], [select(1)], [NOP]]])
def test_ways_that_lead_nowhere_get_no_answer(fabric, way):
    assert walk(fabric, [*way, *ASKING]) is None


def test_endpoint_is_written_and_read(fabric):
    way = [[NOP], [select(2)]]
    write = Op.WRITE << 8 | (0x1234 << 16 | 0x00) << 16
    read = Op.READ << 8
    _, answer = walk(fabric, [*way, [write, read, RETURN], [NOP]])
    assert answer >> 32 == 0x1234
    assert [endpoint.epid for endpoint in fabric.endpoints] == [0, 0x1234]


def test_a_stream_is_started(fabric):
    start = Op.WRITE << 8 | (1 << 16 | 0x08) << 16
    assert walk(fabric, [[NOP], [select(1)], [start, RETURN], [NOP]]) is not None
    assert fabric.starts == [0]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40).map(tuple))
def test_any_words_are_answered_or_refused(words):
    ends = [StreamEndpoint(lambda: None, lambda bits: None) for _ in range(2)]
    try:
        answer = Fabric(ends).answer(words, 0)
    except ChdrError:
        return
    assert answer is None or len(answer[1]) >= 16


def test_more_hops_than_there_are_nodes(fabric):
    with pytest.raises(ChdrError, match="management hop 16 ends at word 17"):
        walk(fabric, [[NOP]] * 17)
