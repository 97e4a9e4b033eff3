# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels of TR 38.901: profiles have the spreads that the standard says."""

import numpy as np
import pytest

from host.evaluate import tdl


def spread(delays, powers):
    mean = np.sum(powers * delays)
    return np.sqrt(np.sum(powers * (delays - mean) ** 2))


@pytest.mark.parametrize("name", tdl.TAPS)
def test_tapped_delay_lines_have_unit_power_and_the_spread_asked_for(name):
    paths = tdl.tdl_paths(name, 2.0, 3)
    assert paths.delays.shape == paths.powers.shape == (3, len(tdl.TAPS[name]))
    assert np.allclose(paths.powers.sum(axis=1), 1)
    # The tables are normalised to a spread of 1, rounded as printed.
    assert spread(paths.delays[0], paths.powers[0]) == pytest.approx(2.0, rel=0.03)
    assert (paths.line == (name in "DE")).all()


@pytest.mark.parametrize(("name", "rice_db"), [("D", 13.3), ("E", 22.0)])
def test_rice_factors(name, rice_db):
    powers = tdl.tdl_paths(name, 1.0, 1).powers[0]
    assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(rice_db, abs=0.05)


def test_urban_macro_has_the_normal_spread_of_the_standard():
    paths = tdl.uma_paths(1e6, 4000, np.random.default_rng(2))
    assert np.allclose(paths.powers.sum(axis=1), 1)
    found = [spread(d, p) for d, p in zip(paths.delays, paths.powers, strict=True)]
    assert np.median(found) == pytest.approx(1e6 * tdl.UMA_SPREADS_S[1], rel=0.15)
