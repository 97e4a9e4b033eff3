# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps are taken."""

import pytest

from calibration.errors import NoReference
from calibration.plan import STEPS, Settings, choose, parse
from semcom_blocks.errors import ConfigError


def test_steps_come_in_the_order_of_work():
    assert parse("noise, gain") == ("gain", "noise")
    assert parse(None) is None


@pytest.mark.parametrize("text", ["", "gian", "gain,gain", "gain,,noise"])
def test_unknown_and_repeated_steps_are_refused(text):
    with pytest.raises(ConfigError, match="permitted"):
        parse(text)


def test_without_a_reference_clocks_are_left_out_unless_asked_for():
    assert choose(None, True) == STEPS
    assert choose(None, False) == ("gain", "imbalance", "delay", "noise")
    for step in ("frequency", "rate"):
        with pytest.raises(NoReference, match="second radio"):
            choose((step,), False)
    assert choose(("frequency",), True) == ("frequency",)


@pytest.mark.parametrize(
    "values", [{"rate_hz": 1e3}, {"center_freq_hz": float("nan")}, {"samples": 100}]
)
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(ConfigError):
        Settings(**values)
