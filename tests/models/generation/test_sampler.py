# SPDX-License-Identifier: GPL-3.0-or-later
"""The sampler against fields whose paths are known."""

from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
from models.generation.sampler import follow, guided, times  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402


def test_a_straight_path_is_followed_exactly_in_one_step():
    start, end = torch.tensor([3.0, -1.0]), torch.tensor([0.5, 2.0])
    for steps in (1, 3, 8):
        found = follow(lambda z, t: start - end, start, times(steps))
        torch.testing.assert_close(found, end)


@pytest.mark.parametrize("shift", [1.0, 2.0, 3.0])
def test_a_curved_path_is_followed_to_second_order(shift):
    """z' = -z has z(0) = z(1)·e; halving the step divides the error by about four."""

    def error(steps):
        found = follow(lambda z, t: -z, torch.ones(1).double(), times(steps, shift=shift))
        return abs(float(found) - torch.e)

    assert error(16) < 0.02
    assert 3.0 < error(16) / error(32) < 5.0


def test_times_fall_from_the_start_to_zero():
    for start in (1.0, 0.6, 0.05):
        for shift in (1.0, 3.0):
            found = times(5, start, shift)
            assert found[0] == pytest.approx(start)
            assert found[-1] == 0
            assert all(a > b for a, b in pairwise(found))


def test_progress_is_told_after_each_step():
    told = []
    follow(lambda z, t: z, torch.ones(1), times(3), lambda done, all_: told.append((done, all_)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_guidance_weighs_text_against_the_empty_text():
    calls = []

    def model(z, t, text):
        calls.append(len(z))
        return text[:, 0].float()  # (B,T): the words themselves

    text = torch.full((2, 3, 4), 5)
    for guidance, expected in ((1.0, 5.0), (0.0, 0.0), (3.0, 15.0)):
        found = guided(model, text, guidance)(torch.zeros(2, 4), 0.5)
        assert torch.equal(found, torch.full((2, 4), expected))
    assert calls == [2, 4, 4]  # guidance 1 pays for one evaluation only


@pytest.mark.parametrize(("steps", "start"), [(0, 1.0), (2000, 1.0), (4, 1.5), (4, -0.1)])
def test_bad_arguments_are_refused(steps, start):
    with pytest.raises(ConfigError):
        times(steps, start)
