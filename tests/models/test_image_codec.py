# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for any picture, rate and SNR, whatever the weights; and what the codec refuses."""

import json

import numpy as np
import pytest

import models.image_codec as image_codec
from models.image_codec import ImageCodec, symbol_count
from models.rates import RATES
from semcom_blocks.errors import ConfigError

SIZES = [(1, 1), (1, 9), (4, 4), (17, 23), (64, 48), (321, 481)]


def picture(height, width, seed=0):
    """A smooth coloured picture with some noise, uint8 (H,W,3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 9 + c) + np.cos(y / 13 - c) for c in range(3)]
    noisy = 128 + 50 * np.stack(waves, -1) + rng.normal(0, 6, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def noise_var(symbols, snr_db):
    return np.full(symbols.size, 10 ** (-snr_db / 10), np.float32)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_comes_back_with_unit_power_symbols(tiny_codec, size, rate):
    image = picture(*size)
    symbols, descriptor = tiny_codec.encode(image, rate, 10.0)
    assert symbols.dtype == np.complex64
    assert symbols.shape == (symbol_count(*size, rate),)
    assert np.mean(np.abs(symbols.astype(np.complex128)) ** 2) == pytest.approx(1, abs=1e-4)
    decoded = tiny_codec.decode(symbols, noise_var(symbols, 10), descriptor)
    assert decoded.dtype == np.uint8
    assert decoded.shape == image.shape


@pytest.mark.parametrize("rate", RATES)
def test_rate_is_complex_symbols_per_source_value(rate):
    k, n = map(int, rate.split("/"))
    assert symbol_count(64, 96, rate) * n == 64 * 96 * 3 * k


def test_descriptor_is_small_and_survives_json(tiny_codec):
    symbols, descriptor = tiny_codec.encode(picture(40, 60), "1/12", 7.25)
    assert set(descriptor) == set("cwhrsn")
    assert tiny_codec.encode(picture(40, 60), "1/12", 7.25, fading=True)[1]["f"] == 1
    text = json.dumps(descriptor)
    assert len(text) < 100
    variance = noise_var(symbols, 7)
    direct = tiny_codec.decode(symbols, variance, descriptor)
    assert np.array_equal(direct, tiny_codec.decode(symbols, variance, json.loads(text)))


@pytest.mark.parametrize(
    ("side", "rate", "snr_db", "straight"),
    [
        (32, "1/6", 24.0, False),
        (32, "1/6", 26.0, True),
        (40, "1/6", 19.0, False),
        (40, "1/6", 21.0, True),
        (32, "1/12", 5.0, False),
        (32, "1/24", 5.0, True),
    ],
)
def test_there_are_no_curves_where_they_do_not_pay(tiny_codec, side, rate, snr_db, straight):
    _, descriptor = tiny_codec.encode(picture(side, side), rate, snr_db)
    assert ("f" in descriptor) is straight


def test_a_lower_rate_is_a_prefix_of_the_planes(tiny_codec):
    """What is cut off behind a prefix counts as erased: there is still a picture."""
    image = picture(33, 50)
    symbols, descriptor = tiny_codec.encode(image, "1/3", 25.0)
    errors = []
    for rate in RATES:
        cut = np.arange(symbols.size) >= symbol_count(33, 50, rate)
        variance = np.where(cut, np.inf, noise_var(symbols, 25)).astype(np.float32)
        decoded = tiny_codec.decode(np.where(cut, 0, symbols), variance, descriptor)
        errors.append(np.mean((decoded.astype(float) - image) ** 2))
    assert max(errors) < 0.2 * np.var(image)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_stays_flat(tiny_codec, level, rng):
    """Nothing but its gain is left to send: noise must not be blown up with it."""
    image = np.full((40, 48, 3), level, np.uint8)
    symbols, descriptor = tiny_codec.encode(image, "1/6", 10.0)
    noise = rng.normal(0, np.sqrt(0.05), (symbols.size, 2)) @ np.array([1, 1j])
    received = (symbols + noise).astype(np.complex64)
    decoded = tiny_codec.decode(received, noise_var(symbols, 10), descriptor)
    assert decoded.std() < 30


def test_equal_inputs_give_equal_outputs(tiny_codec, rng):
    image = picture(50, 70)
    first, second = (tiny_codec.encode(image, "1/6", 3.0) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]
    received = first[0] + rng.normal(0, 0.1, first[0].size).astype(np.complex64)
    one, two = (tiny_codec.decode(received, noise_var(received, 17), first[1]) for _ in range(2))
    assert np.array_equal(one, two)


def test_tiling_changes_only_rounding(tiny_codec, monkeypatch):
    image = picture(150, 210)
    whole, descriptor = tiny_codec.encode(image, "1/6", 12.0)
    variance = noise_var(whole, 12)
    decoded = tiny_codec.decode(whole, variance, descriptor).astype(int)
    monkeypatch.setattr(image_codec, "TILE", 16)
    tiled, _ = tiny_codec.encode(image, "1/6", 12.0)
    assert np.abs(tiled - whole).max() < 1e-4
    assert np.abs(tiny_codec.decode(whole, variance, descriptor) - decoded).max() <= 1


def test_not_finite_and_absurd_symbols_are_erasures(tiny_codec):
    symbols, descriptor = tiny_codec.encode(picture(32, 32), "1/6", 10.0)
    variance = noise_var(symbols, 10)
    erased, erased_variance = symbols.copy(), variance.copy()
    erased[:8], erased_variance[:8] = 0, np.inf
    expected = tiny_codec.decode(erased, erased_variance, descriptor)
    broken, broken_variance = symbols.copy(), variance.copy()
    broken[:4] = [np.nan, np.inf, complex(0, -np.inf), 1e30]
    broken_variance[4:8] = [np.nan, np.inf, -1, -np.inf]
    assert np.array_equal(tiny_codec.decode(broken, broken_variance, descriptor), expected)
    assert not np.array_equal(tiny_codec.decode(symbols, variance, descriptor), expected)


def test_everything_erased_still_gives_a_picture(tiny_codec):
    symbols, descriptor = tiny_codec.encode(picture(20, 28), "1/6", 10.0)
    nothing = np.zeros_like(symbols)
    lost = np.full(symbols.size, np.inf, np.float32)
    assert tiny_codec.decode(nothing, lost, descriptor).shape == (20, 28, 3)


def test_a_noiseless_channel_may_say_zero_variance(tiny_codec):
    symbols, descriptor = tiny_codec.encode(picture(20, 28), "1/6", 25.0)
    still = np.zeros(symbols.size, np.float32)
    assert tiny_codec.decode(symbols, still, descriptor).shape == (20, 28, 3)


@pytest.mark.parametrize(
    ("image", "rate", "snr_db", "named"),
    [
        (picture(8, 8), "1/5", 10.0, "'1/5'"),
        (picture(8, 8), "1/6", float("nan"), "nan"),
        (picture(8, 8), "1/6", float("inf"), "inf"),
        (picture(8, 8), "1/6", 61.0, "61"),
        (picture(8, 8), "1/6", "10", "'10'"),
        (picture(8, 8), 6, 10.0, "6"),
        (picture(8, 8).astype(np.float32), "1/6", 10.0, "float32"),
        (picture(8, 8)[..., 0], "1/6", 10.0, r"\(8, 8\)"),
        (picture(8, 8)[..., :2], "1/6", 10.0, "2"),
        (np.zeros((0, 8, 3), np.uint8), "1/6", 10.0, "0"),
        (np.broadcast_to(np.uint8(0), (4001, 4000, 3)), "1/6", 10.0, "16004000"),
        ([[1, 2, 3]], "1/6", 10.0, "list"),
    ],
)
def test_encode_refuses(tiny_codec, image, rate, snr_db, named):
    with pytest.raises(ConfigError, match=named):
        tiny_codec.encode(image, rate, snr_db)


@pytest.mark.parametrize(
    "change",
    [
        {"c": "jscc-v0"},
        {"w": 29},
        {"w": 0},
        {"w": -4},
        {"h": 10**9},
        {"w": 65_535, "h": 65_535},
        {"w": "28"},
        {"w": 28.0},
        {"r": 4},
        {"r": -1},
        {"r": True},
        {"s": float("nan")},
        {"s": 1e9},
        {"f": 2},
        {"f": True},
        {"s": "ten"},
        {"s": None},
        {"n": 1},
        *({key: ...} for key in "cwhrsn"),
    ],
)
def test_decode_refuses_a_foreign_descriptor(tiny_codec, change):
    symbols, descriptor = tiny_codec.encode(picture(20, 28), "1/6", 10.0)
    changed = {k: v for k, v in (descriptor | change).items() if v is not ...}
    with pytest.raises(ConfigError):
        tiny_codec.decode(symbols, noise_var(symbols, 10), changed)


def test_decode_refuses_arrays_that_do_not_fit(tiny_codec):
    symbols, descriptor = tiny_codec.encode(picture(20, 28), "1/6", 10.0)
    variance = noise_var(symbols, 10)
    wrong = [
        (symbols[:-1], variance),
        (symbols, variance[:-1]),
        (symbols.real, variance),
        (symbols, variance.astype(np.complex64)),
        (symbols.reshape(2, -1), variance),
        (symbols.tolist(), variance),
        (symbols, None),
    ]
    for received, noise in wrong:
        with pytest.raises(ConfigError):
            tiny_codec.decode(received, noise, descriptor)
    with pytest.raises(ConfigError):
        tiny_codec.decode(symbols, variance, [descriptor])


def test_an_unknown_device_is_named():
    with pytest.raises(ConfigError, match="'abacus'"):
        ImageCodec.load(device="abacus")
