# SPDX-License-Identifier: GPL-3.0-or-later
"""A few frames ahead of the radio, and none held for ever."""

from semcom_blocks.phy.frames_ahead import MAX_AHEAD, PATIENCE_S, FramesAhead

SECOND = 1_000_000


def full(now_s=0.0, n_samples=SECOND // 100):
    ahead = FramesAhead(1e6)
    for seq in range(MAX_AHEAD):
        assert ahead.has_room
        ahead.add(seq, n_samples, now_s)
    assert not ahead.has_room
    return ahead


def test_each_frame_on_the_air_makes_room_for_one():
    ahead = full()
    assert not ahead.sent(99, 0.1)  # of somebody else
    assert not ahead.has_room
    assert ahead.sent(2, 0.1)
    assert ahead.has_room
    ahead.add(4, 1000, 0.1)
    assert not ahead.has_room


def test_silence_opens_until_somebody_tells_again():
    ahead = full()
    patience_s = PATIENCE_S + 2 * MAX_AHEAD * 0.01
    assert not ahead.give_up(patience_s - 0.01)
    assert ahead.give_up(patience_s)
    assert not ahead.give_up(patience_s + 100)  # said once
    for seq in range(4, 100):
        assert ahead.has_room
        ahead.add(seq, 1000, 1.0)
    ahead.sent(7, 2.0)
    for seq in range(100, 100 + MAX_AHEAD):
        ahead.add(seq, 1000, 2.0)
    assert not ahead.has_room


def test_long_frames_may_take_long():
    ahead = full(n_samples=SECOND)
    assert not ahead.give_up(2 * MAX_AHEAD)
    assert ahead.give_up(2 * MAX_AHEAD + PATIENCE_S)


def test_frames_of_others_show_that_the_radio_is_alive():
    ahead = full()
    ahead.sent(99, 10.0)
    assert not ahead.give_up(10.0 + PATIENCE_S)


def test_nothing_given_out_is_nothing_to_wait_for():
    ahead = FramesAhead(1e6)
    assert not ahead.give_up(1e9)
    ahead.add(1, 1000, 1e9)
    assert not ahead.give_up(1e9 + PATIENCE_S / 2)
