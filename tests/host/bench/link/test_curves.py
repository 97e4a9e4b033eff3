# SPDX-License-Identifier: GPL-3.0-or-later
"""Every curve's interface, and its figures where theory says what they must be."""

import json

import numpy as np
import pytest
from scipy.special import erfc

from host.bench.link import air, ber, detection, envelope, false_alarms, nmse, paths, sro
from host.bench.link.curves import CURVES
from host.bench.link.document import to_json
from host.bench.link.runner import Point, joined, run_task
from semcom_blocks.phy import estimators
from semcom_blocks.phy.numerology import Numerology

NUM = Numerology()
#: A point of each curve and how many frames of it make a test.
SMALL = {
    "detection": (30, {"channel": "awgn", "snr_db": 20.0}),
    "false_alarms": (1, {"signal": "impulses-in-noise"}),
    "cfo": (6, {"channel": "rayleigh-3-tap", "snr_db": 10.0, "cfo_carriers": -7.5}),
    "sro": (2, {"snr_db": 20.0, "sro_ppm": 100.0, "cfo_carriers": 8.0}),
    "snr_estimate": (6, {"channel": "exponential-1", "snr_db": 10.0}),
    "ber": (6, {"channel": "rayleigh-3-tap", "snr_db": 5.0}),
    "packets": (6, {"part": "prompt", "channel": "awgn", "snr_db": 8.0}),
    "analog": (6, {"channel": "exponential-2", "snr_db": 15.0}),
    "nmse": (6, {"channel": "exponential-2", "snr_db": 15.0}),
    "envelope": (2, {"papr_limit_db": 6.0}),
    "picture": (1, {"channel": "awgn", "snr_db": 20.0}),
}


def rng(seed=1):
    return np.random.default_rng(seed)


def test_every_curve_is_tested():
    assert set(SMALL) == set(CURVES)


@pytest.mark.parametrize("name", CURVES)
def test_every_curve_keeps_the_interface(name):
    n_frames, parameters = SMALL[name]
    point = Point(name, n_frames, parameters)
    first, again, other = (run_task(point, chunk, n_frames, NUM, 1) for chunk in (0, 0, 1))
    assert all(np.array_equal(first[key], again[key], equal_nan=True) for key in first)
    both = joined({0: first, 1: other})
    assert all(len(both[key]) == len(first[key]) + len(other[key]) for key in first)
    record = CURVES[name].summarise(both)
    for key in record:
        if key.endswith("_ci"):
            low, high = record[key]
            assert low <= record[key.removesuffix("_ci")] <= high
    assert json.loads(to_json(record)).keys() == record.keys()


# -- detection and false alarms ----------------------------------------------------------


@pytest.mark.parametrize(("snr_db", "expected"), [(20.0, 1.0), (-15.0, 0.0)])
def test_frames_are_found_or_drown(snr_db, expected):
    record = detection.summarise(detection.measure(NUM, rng(), 40, snr_db, "rayleigh-3-tap"))
    assert record["probability"] == expected
    assert record["extra_frames"] == 0


def test_signals_without_frames_are_what_their_names_say():
    power = {
        name: np.mean(np.abs(make(NUM, rng())) ** 2) for name, make in false_alarms.SIGNALS.items()
    }
    assert power["noise"] == pytest.approx(1.0, rel=0.02)
    assert power["tone"] == pytest.approx(1.0, rel=1e-4)
    assert power["dc-10-db"] == pytest.approx(11.0, rel=0.02)
    assert power["impulses"] == pytest.approx(1e6 / false_alarms.IMPULSE_DISTANCE, rel=0.05)
    assert power["zeros"] == 0
    for name, make in false_alarms.SIGNALS.items():
        assert make(NUM, rng()).dtype == np.complex64, name


def test_a_frame_in_the_noise_would_be_counted(monkeypatch):
    def with_frame(numerology, generator):
        noise = air.gaussian(generator, 1 << 15) * np.float32(0.1)
        frame = air.build(numerology, air.gaussian(generator, 100)).samples
        noise[9000 : 9000 + len(frame)] += frame
        return noise

    monkeypatch.setitem(false_alarms.SIGNALS, "noise", with_frame)
    record = false_alarms.summarise(false_alarms.measure(NUM, rng(), 3))
    assert record["frames"] == record["confirmed"] == 3
    assert record["frames_per_1e8"] == pytest.approx(3 / (3 * 2**15) * 1e8)


# -- bit errors --------------------------------------------------------------------------


def test_expected_rate_is_that_of_qpsk():
    snr_db = np.array([0.0, 4.0, 10.0])
    theory = 0.5 * erfc(np.sqrt(10 ** (snr_db / 10) / 2))
    assert ber.expected_rate(np.ones(48), snr_db) == pytest.approx(theory)


def test_expected_rate_over_rayleigh_carriers():
    """P = (1 − sqrt(γ / (2 + γ))) / 2 for QPSK of Es/N0 γ (Proakis, eq. 14.3-7)."""
    powers = rng().exponential(1.0, 400_000)
    theory = 0.5 * (1 - np.sqrt(10 / 12))
    assert ber.expected_rate(powers, np.array([10.0]))[0] == pytest.approx(theory, rel=0.01)


@pytest.mark.parametrize("loss_db", [-1.0, 0.3, 2.5])
def test_a_known_loss_is_found_with_its_interval(loss_db):
    generator, n_frames, n_bits = rng(7), 60, 8000
    powers = generator.exponential(1.0, (n_frames, 48))
    theory = np.array([ber.expected_rate(row, 8.0 - ber.LOSSES_DB) for row in powers])
    worse = np.array([ber.expected_rate(row, np.array([8.0 - loss_db]))[0] for row in powers])
    found, influence = ber.loss_db(generator.binomial(n_bits, worse) / n_bits, theory)
    deviation = influence.std() / np.sqrt(n_frames)
    assert deviation < 0.1
    assert found == pytest.approx(loss_db, abs=4 * deviation + 0.01)


def test_a_receiver_that_guesses_is_infinitely_far_off():
    raw = ber.measure(NUM, rng(), 4, 6.0)
    guessed = ber.summarise({**raw, "rate": np.full(4, 0.5)})
    assert guessed["loss_to_theory_db"] == guessed["loss_to_known_channel_db"] == np.inf


def test_too_few_errors_say_nothing():
    record = ber.summarise(ber.measure(NUM, rng(), 2, 14.0))
    assert record["ber"] == 0
    assert np.isnan(record["loss_to_theory_db"])


@pytest.mark.parametrize("channel", paths.CHANNELS[:3])
def test_known_channel_reaches_theory(channel):
    record = ber.summarise(ber.measure(NUM, rng(3), 25, 6.0, channel))
    assert record["ber_known_channel"] == pytest.approx(record["ber_theory"], rel=0.03)


# -- the others --------------------------------------------------------------------------


def test_no_offset_costs_nothing():
    """The two receptions that are compared see the very same noise."""
    record = sro.summarise(sro.measure(NUM, rng(), 2, 10.0, 0.0))
    assert record["loss_db"] == 0.0


def test_the_genie_is_better_than_every_estimator():
    for channel in ("awgn", "exponential-1"):
        record = nmse.summarise(nmse.measure(NUM, rng(), 60, 10.0, channel))
        worst_genie = record["genie_nmse_db_ci"][1]
        assert all(record[f"{name}_nmse_db"] > worst_genie for name in estimators.METHODS)


def test_genie_error_by_simulation():
    """R (R + E)⁻¹ applied to noisy channels misses them by what the formula says."""
    generator, channel = rng(5), "exponential-1"
    error_var = generator.uniform(0.01, 0.1, NUM.n_used)
    powers = paths.profile(channel, NUM)
    turn = np.outer(NUM.carriers, np.arange(len(powers))) / NUM.fft_size
    steering = np.exp(-2j * np.pi * turn)
    covariance = (steering * powers) @ steering.conj().T
    gain = covariance @ np.linalg.inv(covariance + np.diag(error_var))
    taps = air.gaussian(generator, 4000 * len(powers)).reshape(len(powers), -1)
    true = steering @ (np.sqrt(powers)[:, None] * taps)
    noise = air.gaussian(generator, true.size).reshape(true.shape) * np.sqrt(error_var)[:, None]
    squared = np.sum(np.abs(gain @ (true + noise) - true) ** 2) / true.shape[1]
    assert squared == pytest.approx(nmse.genie_error(channel, NUM, error_var), rel=0.03)


def test_an_unlimited_signal_is_gaussian():
    """|x|² of many carriers is exponential: 10⁻³ of it exceeds ln 1000 = 8.39 dB."""
    record = envelope.summarise(envelope.measure(NUM, rng(), 4))
    for name in ("papr_db", "papr_oversampled_db"):
        assert record[name] == pytest.approx(10 * np.log10(np.log(1000)), abs=0.25)
    # 52 carriers and the unused one between them; 1 % lies outside.
    assert record["bandwidth_hz"] == pytest.approx(53 / 64 * 1e6, rel=0.02)
    assert record["evm_db"] < -100


def test_limiting_peaks_trades_papr_for_error():
    records = [
        envelope.summarise(envelope.measure(NUM, rng(), 2, limit)) for limit in (None, 7.0, 4.0)
    ]
    papr = [record["papr_oversampled_db"] for record in records]
    cost = [record["cost_at_20_db_db"] for record in records]
    assert papr[0] > papr[1] > papr[2]
    assert 0 <= cost[0] < cost[1] < cost[2]
