# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole channel: what holds for every combination of impairments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.errors import ConfigError

EVERYTHING = {
    "model": "multipath",
    "snr_db": 15.0,
    "cfo_hz": 5e3,
    "sro_ppm": 20.0,
    "phase_noise_hz": 100.0,
    "iq_gain_db": 0.5,
    "iq_phase_deg": 2.0,
    "dc_offset_db": -20.0,
    "adc_bits": 12,
}
FAMILY = {
    "perfect": {},
    "awgn": {"snr_db": 10.0},
    "rayleigh": {"model": "rayleigh", "snr_db": 10.0},
    "multipath": {"model": "multipath", "delay_spread_s": 5e-6},
    "offset": {"cfo_hz": -12e3},
    "phase noise": {"phase_noise_hz": 1e3},
    "fast clock": {"sro_ppm": 200.0},
    "slow clock": {"sro_ppm": -200.0},
    "mixer": {"iq_gain_db": 1.0, "dc_offset_db": 0.0},
    "converter": {"adc_bits": 10},
    "everything": EVERYTHING,
}
SAMPLES = np.random.default_rng(9).standard_normal((6_000, 2)).astype(np.float32)
SAMPLES = SAMPLES.view(np.complex64)[:, 0] / np.float32(np.sqrt(2))


def make(parameters, seed=1):
    return SoftwareChannel(ChannelConfig(**parameters), np.random.default_rng(seed))


def passed(parameters, cuts=(), seed=1, samples=SAMPLES):
    """The stream through the channel, cut at ``cuts``, a new block in the middle, flushed."""
    channel = make(parameters, seed)
    half = samples.size // 2
    out = []
    for start, part in ((0, samples[:half]), (half, samples[half:])):
        inside = [cut - start for cut in sorted(cuts) if 0 <= cut - start <= part.size]
        out += [channel.process(piece) for piece in np.split(part, inside)]
        channel.start_block()
    return np.concatenate([*out, channel.flush()])


@pytest.mark.parametrize("name", FAMILY)
def test_single_precision_and_about_as_many_samples_as_went_in(name):
    found = passed(FAMILY[name])
    assert found.dtype == np.complex64 and found.ndim == 1
    ratio = 1 + FAMILY[name].get("sro_ppm", 0.0) * 1e-6
    # The flush lets the tail of the impulse response out, too.
    assert 0 <= found.size - np.floor(SAMPLES.size * ratio) <= 40
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", FAMILY)
def test_equal_seeds_give_equal_bytes_and_other_seeds_others(name):
    first = passed(FAMILY[name], seed=5)
    assert first.tobytes() == passed(FAMILY[name], seed=5).tobytes()
    config = ChannelConfig(**FAMILY[name])
    if config.model != "awgn" or config.snr_db is not None or config.phase_noise_hz:
        assert first.tobytes() != passed(FAMILY[name], seed=6).tobytes()


def test_the_seed_of_the_configuration_is_the_default():
    def first(seed):
        config = ChannelConfig(snr_db=0.0, seed=seed)
        return SoftwareChannel(config).process(SAMPLES[:10]).tobytes()

    assert first(3) == first(3) != first(4)


@pytest.mark.parametrize("name", FAMILY)
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, SAMPLES.size), max_size=12))
def test_the_cut_does_not_matter(name, cuts):
    # Vector units may round the ends of a piece otherwise, which a converter then shows.
    parameters = {**FAMILY[name], "adc_bits": None}
    found, expected = passed(parameters, cuts), passed(parameters)
    assert found.size == expected.size
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_single_samples_are_a_stream_too():
    parameters = {**EVERYTHING, "adc_bits": None}
    short = SAMPLES[:400]
    found = passed(parameters, range(400), samples=short)
    np.testing.assert_allclose(found, passed(parameters, samples=short), atol=1e-5)


@pytest.mark.parametrize("name", FAMILY)
def test_the_input_is_neither_changed_nor_returned(name):
    samples = SAMPLES[:100].copy()
    found = make(FAMILY[name]).process(samples)
    np.testing.assert_array_equal(samples, SAMPLES[:100])
    assert not np.shares_memory(found, samples)


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("bad", [np.nan, complex(0, np.inf), 1e30])
def test_a_bad_sample_leaves_no_trace(name, bad):
    damaged = SAMPLES.copy()
    damaged[1_000] = bad
    found, expected = passed(FAMILY[name], samples=damaged), passed(FAMILY[name])
    # the longest impulse response of the family, and the resampler
    reach = 40 + 32
    np.testing.assert_array_equal(found[: 1_000 - 32], expected[: 1_000 - 32])
    np.testing.assert_array_equal(found[1_000 + reach :], expected[1_000 + reach :])
    assert not np.array_equal(found[900:1_100], expected[900:1_100])


def test_a_perfect_channel_is_the_identity():
    np.testing.assert_array_equal(passed({}), SAMPLES)


@pytest.mark.parametrize("used", [52, 40])
@pytest.mark.parametrize("snr_db", [0.0, 10.0, 25.0])
def test_snr_is_per_data_symbol_after_the_fft(snr_db, used):
    rng = np.random.default_rng(4)
    grid = np.zeros((2_000, 64), complex)
    # unit power in time under the unitary transform
    grid[:, 1 : used + 1] = np.exp(0.5j * np.pi * rng.integers(4, size=(2_000, used)))
    grid *= np.sqrt(64 / used)
    sent = np.fft.ifft(grid, norm="ortho").reshape(-1)
    assert np.mean(np.abs(sent) ** 2) == pytest.approx(1.0)
    found = make({"snr_db": snr_db, "symbol_energy": 64 / used}).process(sent)
    received = np.fft.fft(found.reshape(-1, 64), norm="ortho")[:, 1 : used + 1]
    noise = np.mean(np.abs(received - grid[:, 1 : used + 1]) ** 2)
    signal = np.mean(np.abs(grid[:, 1 : used + 1]) ** 2)
    assert 10 * np.log10(signal / noise) == pytest.approx(snr_db, abs=0.08)


def test_a_cyclic_prefix_turns_the_taps_into_carrier_gains():
    channel = make({"model": "multipath"})
    symbol = SAMPLES[:64]
    found = channel.process(np.concatenate([symbol[-16:], symbol]))[16:]
    gains = np.fft.fft(channel.current_taps, 64)
    np.testing.assert_allclose(np.fft.fft(found), gains * np.fft.fft(symbol), atol=1e-4)


def test_the_taps_hold_for_a_block_and_change_with_the_next():
    channel = make({"model": "rayleigh"})
    ones = np.ones(50, np.complex64)
    for _ in range(3):
        taps = channel.current_taps
        for _ in range(2):
            np.testing.assert_allclose(channel.process(ones), taps[0], rtol=1e-6)
        channel.start_block()
        assert channel.current_taps[0] != taps[0]
    channel.current_taps[:] = 0  # a copy
    assert channel.current_taps[0] != 0


def test_one_impairment_does_not_disturb_the_randomness_of_another():
    plain = make({"model": "rayleigh"})
    noisy = make({"model": "rayleigh", "snr_db": 60.0, "phase_noise_hz": 1.0})
    noisy.process(SAMPLES)
    for channel in (plain, noisy):
        channel.start_block()
    np.testing.assert_array_equal(plain.current_taps, noisy.current_taps)


def test_order_noise_is_outside_the_fading_and_ahead_of_the_mixer():
    # A deep fade takes the signal and leaves the noise.
    silent = make({"model": "rayleigh", "snr_db": 0.0}).process(np.zeros(50_000, np.complex64))
    assert np.mean(np.abs(silent) ** 2) == pytest.approx(64 / 52, rel=0.03)
    # The mixer makes proper noise improper; E[y²] = 2 mu nu variance.
    found = make({"snr_db": 0.0, "iq_gain_db": 6.0}).process(np.zeros(50_000, np.complex64))
    assert abs(np.mean(found.astype(complex) ** 2)) > 0.5


def test_flush_lets_the_last_sample_out_and_the_stream_goes_on():
    channel = make({"model": "multipath", "sro_ppm": 50.0})
    quiet = make({"model": "multipath", "sro_ppm": 50.0})
    burst = np.concatenate([channel.process(SAMPLES[:500]), channel.flush()])
    tail = channel.process(np.zeros(200, np.complex64))
    assert np.abs(burst[-8:]).max() > 0 and np.abs(tail[40:]).max() == 0
    both = np.concatenate([burst, tail])
    padded = np.concatenate([SAMPLES[:500], np.zeros(300, np.complex64)])
    np.testing.assert_allclose(both, quiet.process(padded)[: both.size], atol=1e-6)
    assert make({"snr_db": 3.0}).flush().size == 0


@pytest.mark.parametrize("shape", [(), (2, 3), (0, 2)])
def test_samples_have_one_axis(shape):
    with pytest.raises(ConfigError, match="samples have shape"):
        make({}).process(np.zeros(shape, np.complex64))


def test_nothing_in_nothing_out():
    for parameters in FAMILY.values():
        assert make(parameters).process(np.zeros(0, np.complex64)).size == 0
