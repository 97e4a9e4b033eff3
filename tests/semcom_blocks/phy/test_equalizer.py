# SPDX-License-Identifier: GPL-3.0-or-later
"""The equalisers as a family: bias, and an error variance that is true."""

import numpy as np
import pytest

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.equalizer import METHODS, equalize

N_SYMBOLS, N_USED = 4000, 52


def faded(link, noise_var, flat=False):
    """Sent cells, received cells, response: three-tap fading over 52 carriers."""
    sent = link.normal(N_SYMBOLS * N_USED).reshape(N_SYMBOLS, N_USED)
    taps = np.array([0.8 - 0.3j], np.complex64) if flat else link.rayleigh((0.5, 0.3, 0.2))
    response = link.response(taps)
    noise = link.normal(sent.size, noise_var).reshape(sent.shape)
    return sent, sent * response + noise, response


def gain_of(cells, sent):
    """Regression of the equalised on the sent cells, per carrier."""
    return np.sum(cells * sent.conj(), axis=0) / np.sum(np.abs(sent) ** 2, axis=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("snr_db", [-2, 10, 25])
@pytest.mark.parametrize("flat", [True, False])
def test_reported_variance_is_that_of_the_error(link, method, snr_db, flat):
    noise_var = 10 ** (-snr_db / 10)
    sent, received, response = faded(link, noise_var, flat)
    equalized = equalize(received, response, noise_var, method)
    measured = np.mean(np.abs(equalized.cells - sent) ** 2, axis=0)
    # 4,000 looks at each carrier: 1.6 % standard deviation.
    np.testing.assert_allclose(equalized.noise_var, measured, rtol=0.08)
    assert equalized.noise_var.mean() == pytest.approx(measured.mean(), rel=0.02)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("snr_db", [0, 20])
def test_reported_gain_is_that_of_the_cells(link, method, snr_db):
    noise_var = 10 ** (-snr_db / 10)
    sent, received, response = faded(link, noise_var)
    equalized = equalize(received, response, noise_var, method)
    measured = gain_of(equalized.cells, sent)
    deviation = np.sqrt(equalized.noise_var / N_SYMBOLS)
    assert np.all(np.abs(measured - equalized.gain) < 5 * deviation + 1e-3)


def test_zero_forcing_is_unbiased_on_every_carrier(link):
    _, received, response = faded(link, 0.1)
    equalized = equalize(received, response, 0.1, "zf")
    assert np.array_equal(equalized.gain, np.ones(N_USED, np.float32))
    np.testing.assert_allclose(equalized.noise_var, 0.1 / np.abs(response) ** 2, rtol=1e-4)


@pytest.mark.parametrize("snr_db", [-5, 5, 30])
def test_mmse_keeps_the_mean_amplitude(link, snr_db):
    noise_var = 10 ** (-snr_db / 10)
    _, received, response = faded(link, noise_var)
    assert equalize(received, response, noise_var, "mmse").gain.mean() == pytest.approx(1.0)


def test_mmse_does_not_blow_up_in_a_null(link):
    _, received, response = faded(link, 0.01)
    response[7] = 1e-3
    received[:, 7] = link.normal(N_SYMBOLS, 0.01)
    mmse = equalize(received, response, 0.01, "mmse")
    assert np.mean(np.abs(mmse.cells[:, 7]) ** 2) < 0.01
    assert mmse.noise_var[7] == pytest.approx(1.0, abs=0.01)
    assert np.mean(np.abs(equalize(received, response, 0.01, "zf").cells[:, 7]) ** 2) > 100


def test_mmse_has_the_smaller_error_in_fading(link):
    for snr_db in (0, 10, 20):
        noise_var = 10 ** (-snr_db / 10)
        sent, received, response = faded(link, noise_var)
        error = {
            method: np.mean(
                np.abs(equalize(received, response, noise_var, method).cells - sent) ** 2
            )
            for method in METHODS
        }
        assert error["mmse"] < error["zf"]


@pytest.mark.parametrize("snr_db", [-2, 15])
def test_on_a_flat_channel_all_methods_are_the_same(link, snr_db):
    noise_var = 10 ** (-snr_db / 10)
    _, received, response = faded(link, noise_var, flat=True)
    zf, mmse = (equalize(received, response, noise_var, method) for method in ("zf", "mmse"))
    np.testing.assert_allclose(mmse.cells, zf.cells, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mmse.noise_var, zf.noise_var, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_without_noise_the_cells_come_back(link, method):
    sent, received, response = faded(link, 0.0)
    equalized = equalize(received, response, 1e-12, method)
    np.testing.assert_allclose(equalized.cells, sent, atol=1e-3)
    assert equalized.cells.dtype == np.complex64
    assert equalized.gain.dtype == equalized.noise_var.dtype == np.float32


def test_unknown_method_is_refused(link):
    with pytest.raises(ConfigError, match="'dfe'"):
        equalize(np.zeros((1, N_USED), np.complex64), np.ones(N_USED, np.complex64), 0.1, "dfe")
