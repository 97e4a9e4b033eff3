# SPDX-License-Identifier: GPL-3.0-or-later
"""A few frames ahead of the radio, and none held for ever."""

import pytest

from semcom_blocks.phy.frames_ahead import AHEAD_S, PATIENCE_S, FramesAhead

SECOND = 1_000_000
#: Frames of 10 ms.
MAX_AHEAD = round(AHEAD_S / 0.01)


def full(now_s=0.0):
    ahead = FramesAhead(1e6)
    for seq in range(MAX_AHEAD):
        assert ahead.has_room
        ahead.add(seq, SECOND // 100, now_s)
    assert not ahead.has_room
    return ahead


def test_each_frame_on_the_air_makes_room_for_one():
    ahead = full()
    assert not ahead.sent(99, 0.1)  # of somebody else
    assert not ahead.has_room
    assert ahead.sent(2, 0.1)
    assert ahead.has_room
    ahead.add(9, SECOND // 100, 0.1)
    assert not ahead.has_room


@pytest.mark.parametrize(("n_samples", "count"), [(1000, 50), (16_000, 4), (131_072, 1)])
def test_short_frames_may_be_many_and_a_long_one_is_enough(n_samples, count):
    ahead, n = FramesAhead(1e6), 0
    while ahead.has_room:
        ahead.add(n, n_samples, 0.0)
        n += 1
    assert n == count


def test_silence_opens_until_somebody_tells_again():
    ahead = full()
    patience_s = PATIENCE_S + 2 * MAX_AHEAD * 0.01
    assert not ahead.give_up(patience_s - 0.01)
    assert ahead.give_up(patience_s)
    assert not ahead.give_up(patience_s + 100)  # said once
    for seq in range(10, 100):
        assert ahead.has_room
        ahead.add(seq, SECOND // 100, 1.0)
    ahead.sent(17, 2.0)
    for seq in range(100, 100 + MAX_AHEAD):
        ahead.add(seq, SECOND // 100, 2.0)
    assert not ahead.has_room


def test_long_frames_may_take_long():
    ahead = FramesAhead(1e6)
    ahead.add(0, 4 * SECOND, 0.0)
    assert not ahead.give_up(8.0)
    assert ahead.give_up(8.0 + PATIENCE_S)


def test_frames_of_others_show_that_the_radio_is_alive():
    ahead = full()
    ahead.sent(99, 10.0)
    assert not ahead.give_up(10.0 + PATIENCE_S)


def test_nothing_given_out_is_nothing_to_wait_for():
    ahead = FramesAhead(1e6)
    assert not ahead.give_up(1e9)
    ahead.add(1, 1000, 1e9)
    assert not ahead.give_up(1e9 + PATIENCE_S / 2)
