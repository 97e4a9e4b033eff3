# SPDX-License-Identifier: GPL-3.0-or-later
"""DC removal: gone where there is DC, and not a sample touched where there is none."""

import numpy as np
import pytest

from semcom_blocks.phy.dc import remove_dc
from semcom_blocks.phy.numerology import Numerology


@pytest.mark.parametrize("n", [300, 5000])
@pytest.mark.parametrize("dc", [1 + 1j, -0.5j, 10.0, 1e-3])
def test_dc_is_removed(link, n, dc):
    """What remains is the mean of the noise itself."""
    noise = link.normal(n, abs(dc) ** 2)
    level = remove_dc(noise + np.complex64(dc))
    assert level.dtype == np.complex64
    assert abs(level.mean()) < 1e-4 * abs(dc)
    np.testing.assert_allclose(level, noise - noise.mean(), atol=2e-5 * abs(dc))


def test_noise_is_left_alone(link):
    for _ in range(200):
        noise = link.normal(500)
        assert remove_dc(noise) is noise


@pytest.mark.parametrize("num", [Numerology(), Numerology(256, 64, 208, 16)])
@pytest.mark.parametrize("n", [1500, 4560])
def test_a_frame_in_silence_is_left_alone_whatever_its_cfo(make_link, num, n):
    """Else the silence would become a constant, which is periodic as the short field is."""
    link = make_link(0, num)
    samples = link.frame(analog=0).samples
    for carriers in (0, 1, 3, 4, 8, 2.5):
        stream = link.send(samples, before=n, after=0, cfo_hz=carriers * num.spacing_hz)
        for start in range(0, len(stream) - n, 100):
            piece = stream[start : start + n]
            assert remove_dc(piece) is piece


def test_a_strong_carrier_on_dc_is_left_alone(link):
    """A faded channel with one carrier 16 dB above the rest, moved to DC by the CFO."""
    num = link.numerology
    rng = np.random.default_rng(3)
    n = np.arange(num.symbol_len)
    for _ in range(50):
        symbols = rng.choice([1, -1, 1j, -1j], 60)
        carrier = np.exp(2j * np.pi * 0.001 * n)[None] * symbols[:, None]
        rest = link.normal(60 * num.symbol_len, 0.5)
        stream = (carrier.reshape(-1) + rest).astype(np.complex64)
        assert remove_dc(stream) is stream


@pytest.mark.parametrize("samples", [np.zeros(0, np.complex64), np.zeros(100, np.complex64)])
def test_nothing_stays_nothing(samples):
    assert remove_dc(samples) is samples


def test_a_constant_becomes_silence():
    assert not remove_dc(np.full(4000, 0.3 - 2j, np.complex64)).any()
