# SPDX-License-Identifier: GPL-3.0-or-later
"""Laws of packet and bit errors against each other, theory and the physical layer."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

from host.allocation.controller import ORDER_BOUNDS
from host.allocation.packet_errors import (
    KNOWN,
    LAWS,
    RAYLEIGH,
    FadingErrors,
    KnownErrors,
    error_rate,
)
from host.allocation.qam_errors import BOUNDS, bit_error_rate, fast_bit_error_rate, least_snr
from host.allocation.streams import ORDERS, ConditionStream, steps_of
from host.experiment.bits import tightest
from host.experiment.packet_fit import Counts, fit
from host.experiment.packets import arrived
from semcom_blocks.errors import ConfigError


@pytest.mark.parametrize("name", LAWS)
def test_laws_invert(name: str) -> None:
    law = LAWS[name]
    events = np.array([0.01, 0.1, 1.0])
    np.testing.assert_allclose(law.events(1000, law.snr_for(1000, events)), events)
    rate = error_rate(law, 1000, np.linspace(0.5, 50, 40))
    assert np.all(np.diff(rate) < 0) and np.all(
        error_rate(law, 4000, 3.0) > error_rate(law, 500, 3.0)
    )


def test_known_law_averaged_over_fades_is_form_two() -> None:
    """Both were fitted to the same code: one follows from the other."""
    for length in (524, 2060):
        for mean in (2.0, 8.0, 30.0):
            faded, _ = quad(
                lambda g, mean=mean, length=length: float(error_rate(KNOWN, length, g))
                * np.exp(-g / mean) / mean,
                0, 60, points=[1.0, 2.0],
            )  # fmt: skip
            assert float(error_rate(RAYLEIGH, length, mean)) == pytest.approx(faded, rel=0.06)


def test_stored_law_is_that_of_the_decoder() -> None:
    rng = np.random.default_rng(4)
    for db, n_bytes in ((1.5, 64), (2.5, 64)):
        share = np.mean(~arrived(np.full(400, 10 ** (db / 10)), n_bytes, rng))
        model = float(error_rate(KNOWN, 2 * (8 * n_bytes + 6), 10 ** (db / 10)))
        assert abs(share - model) < 4 * np.sqrt(model * (1 - model) / 400)


def test_fit_finds_the_constants_of_made_counts() -> None:
    rng = np.random.default_rng(5)
    length, snr = (
        grid.ravel() for grid in np.meshgrid([300.0, 1000, 4000], np.geomspace(1, 100, 9))
    )
    truth = FadingErrors(0.2, 0.1)
    lost = rng.binomial(4000, error_rate(truth, length, snr)).astype(float)
    counts = Counts(length, snr, np.full(27, 4000.0), lost)
    found = fit(FadingErrors, (0.3, 0.0), counts)
    error = np.abs(np.array(found.law.constants) - truth.constants)
    assert np.all(error < 2 * found.reach())
    assert found.inside(counts).mean() > 0.8 and found.dispersion < 2


@pytest.mark.parametrize("order", ORDERS)
def test_bit_errors_are_exact_and_bounded(order: int) -> None:
    snr = least_snr(order, np.geomspace(1e-6, 0.1, 20))
    exact = bit_error_rate(order, snr)
    np.testing.assert_allclose(fast_bit_error_rate(order, snr), exact, rtol=0.02)
    alpha, beta = ORDER_BOUNDS[order]
    assert np.all(exact <= np.exp(-alpha * snr / steps_of(order)) / beta * 1.001)
    if order <= 4:
        per_bit = snr if order == 2 else snr / 2
        np.testing.assert_allclose(exact, ndtr(-np.sqrt(2 * per_bit)), rtol=1e-9)


def test_bound_of_the_paper_and_the_fitted_one() -> None:
    alpha, beta = tightest()
    assert (alpha, beta) == pytest.approx(BOUNDS["fitted"], rel=1e-3)
    edges = ConditionStream(1000)
    assert np.all(edges.ber(least_snr(16, 1e-3), 16) > 1e-3)
    assert edges.snr_of_order(2, 1e-3) == pytest.approx(edges.snr_of_order(4, 1e-3) / 2)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: FadingErrors(0.1, -5.0).events(100, 1.0), "PER would rise"),
        (lambda: KnownErrors(1.0, 0.0, -1.0), "a is -1.0"),
        (lambda: bit_error_rate(32, 1.0), "modulation order is 32"),
    ],
)
def test_what_makes_no_sense_is_named(make, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make()
