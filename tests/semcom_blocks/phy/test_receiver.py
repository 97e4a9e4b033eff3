# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole receiver at the operating points of the design page, against theory."""

import numpy as np
import pytest
from scipy.special import erfc

from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import measure
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.equalizer import METHODS as EQUALIZERS
from semcom_blocks.phy.equalizer import equalize
from semcom_blocks.phy.estimators import METHODS as ESTIMATORS
from semcom_blocks.phy.modulator import TransmitLevel
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_start
from semcom_blocks.phy.receiver import receive

DEFAULT = Numerology()
FAMILY = [
    DEFAULT,
    Numerology(cp_len=32, n_comb=8, block_period=8),
    Numerology(n_used=16, n_comb=2),
    Numerology(n_used=60, cp_len=8, n_comb=30),
    Numerology(128, 32, 104, 8),
    Numerology(256, 64, 208, 16, sample_rate_hz=4e6),
    Numerology(256, 16, 240, 12, 1024),
    Numerology(1024, 128, 800, 32),
]


def db(ratio):
    return 10 * np.log10(ratio)


def transfer(link, sent, estimator="lmmse", equalizer="mmse", **channel):
    """Send one frame with a random CFO and read it."""
    channel.setdefault("cfo_hz", link.rng.uniform(-100e3, 100e3))
    stream = link.send(sent.samples, **channel)
    return receive(link.find_one(stream), link.numerology, estimator, equalizer)


def error_of(frame, sent):
    return float(np.mean(np.abs(frame.payload.analog - sent.analog) ** 2))


# -- every numerology, no noise ----------------------------------------------------------


@pytest.mark.parametrize("num", FAMILY, ids=lambda num: f"{num.fft_size}-{num.cp_len}-{num.n_used}")
@pytest.mark.parametrize("carriers", [0.0, -7.3])
def test_without_noise_everything_comes_back(make_link, num, carriers):
    link = make_link(1, num)
    sent = link.frame(9, analog=1500, digital=60, bits_per_symbol=4)
    frame = transfer(link, sent, cfo_hz=carriers * num.spacing_hz)
    assert frame.header == sent.layout.header
    assert frame.payload.digital == sent.digital
    assert measure.evm_db(frame.payload.analog, sent.analog) < -55
    assert frame.info.cfo_hz == pytest.approx(carriers * num.spacing_hz, abs=1e-3 * num.spacing_hz)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("equalizer", EQUALIZERS)
def test_every_pair_of_methods_reads_a_frame(link, estimator, equalizer):
    sent = link.frame(analog=2000, digital=100)
    # A comb of four carriers cannot follow a second path that is two samples late.
    second = 0.05j if estimator in ("linear", "spline") else 0.6j
    taps = np.array([0.8, 0, second], np.complex64)
    frame = transfer(link, sent, estimator, equalizer, taps=taps, snr_db=20)
    assert frame.payload.digital == sent.digital
    assert -db(error_of(frame, sent)) > 13


def test_unknown_methods_are_refused(link):
    capture = link.find_one(link.send(link.frame().samples))
    with pytest.raises(ConfigError, match="'cgan'"):
        receive(capture, link.numerology, estimator="cgan")
    with pytest.raises(ConfigError, match="'dfe'"):
        receive(capture, link.numerology, equalizer_method="dfe")


# -- analog symbols ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("snr_db", "tolerance_db"), [(0, 0.5), (5, 0.5), (10, 0.3), (15, 0.3), (20, 0.3), (30, 0.3)]
)
def test_analog_symbols_in_awgn_keep_the_snr(link, snr_db, tolerance_db):
    errors, gains = [], []
    for _ in range(10):
        sent = link.frame(analog=4000)
        frame = transfer(link, sent, snr_db=snr_db)
        errors.append(error_of(frame, sent))
        gains.append(np.vdot(sent.analog, frame.payload.analog) / np.vdot(sent.analog, sent.analog))
    assert -db(np.mean(errors)) == pytest.approx(snr_db, abs=tolerance_db)
    # One frame's gain scatters by 1 / sqrt(4000 · SNR); their mean shows the bias.
    assert abs(np.mean(gains) - 1) < 0.02


@pytest.mark.parametrize("spread_s", [0.5e-6, 1e-6, 2e-6])
@pytest.mark.parametrize("snr_db", [5, 10, 20])
def test_analog_symbols_in_multipath_against_a_receiver_that_knows_the_channel(
    link, spread_s, snr_db
):
    noise_var = 10 ** (-snr_db / 10)
    profile = np.exp(-np.arange(14) / (spread_s * 1e6))
    losses_db, gains = [], []
    for _ in range(16):
        taps = link.rayleigh(profile / profile.sum())
        sent = link.frame(analog=3000)
        frame = transfer(link, sent, taps=taps, snr_db=snr_db)
        known = equalize(sent.grid, link.response(taps), noise_var)
        known_error = known.noise_var[link.numerology.data_index].mean()
        losses_db.append(db(error_of(frame, sent) / known_error))
        gains.append(np.vdot(sent.analog, frame.payload.analog) / np.vdot(sent.analog, sent.analog))
        # What the decoder is told about its symbols must be true as well.
        assert db(frame.payload.noise_var.mean() / known_error) == pytest.approx(0.0, abs=1.0)
    assert np.mean(losses_db) < 0.3
    assert np.max(losses_db) < 1.0
    assert abs(np.mean(gains) - 1) < 0.02


def test_a_peak_limited_frame_keeps_its_amplitude(link):
    sent = link.frame(analog=8000, level=TransmitLevel(papr_limit_db=4.0))
    frame = transfer(link, sent, snr_db=30)
    gain = np.vdot(sent.analog, frame.payload.analog) / np.vdot(sent.analog, sent.analog)
    assert abs(gain - 1) < 0.02


# -- digital -----------------------------------------------------------------------------


def qpsk_errors(link, n_frames, snr_db, taps_of=None):
    """Uncoded QPSK in the analog field: bits wrong, bits sent, and what a known channel gives."""
    wrong = total = 0
    known = []
    for _ in range(n_frames):
        sent = link.frame(analog=link.qpsk(4000))
        taps = None if taps_of is None else taps_of()
        frame = transfer(link, sent, taps=taps, snr_db=snr_db)
        for part in (np.real, np.imag):
            wrong += np.count_nonzero(part(frame.payload.analog) * part(sent.analog) < 0)
        total += 2 * len(sent.analog)
        num = link.numerology
        response = np.ones(num.n_used) if taps is None else link.response(taps)
        known.append(np.abs(response[num.data_index]) ** 2)
    return wrong / total, np.array(known)


def qpsk_theory(power, snr_db):
    return np.mean(0.5 * erfc(np.sqrt(power * 10 ** (snr_db / 10) / 2)))


@pytest.mark.parametrize("snr_db", [4.0, 7.0, 10.0])
def test_uncoded_qpsk_in_awgn_within_1_db_of_theory(link, snr_db):
    rate, power = qpsk_errors(link, 20, snr_db)
    assert rate < qpsk_theory(power, snr_db - 0.3)
    assert rate > qpsk_theory(power, snr_db + 0.3)


@pytest.mark.parametrize("snr_db", [8.0, 14.0])
def test_uncoded_qpsk_in_multipath_within_1_5_db_of_a_known_channel(link, snr_db):
    rate, power = qpsk_errors(link, 25, snr_db, lambda: link.rayleigh((0.6, 0.25, 0.1, 0.05)))
    assert rate < qpsk_theory(power, snr_db - 0.6)
    assert rate > qpsk_theory(power, snr_db + 0.6)


@pytest.mark.parametrize(("snr_db", "least"), [(4.5, 36), (6.0, 40)])
def test_coded_qpsk_packets_arrive(link, snr_db, least):
    good = 0
    for _ in range(40):
        sent = link.frame(analog=0, digital=128)
        good += transfer(link, sent, snr_db=snr_db).payload.digital == sent.digital
    assert good >= least


@pytest.mark.parametrize(("bits_per_symbol", "snr_db"), [(1, 3.0), (4, 12.0), (6, 18.0), (8, 24.0)])
def test_other_orders_arrive(link, bits_per_symbol, snr_db):
    for _ in range(5):
        sent = link.frame(analog=100, digital=128, bits_per_symbol=bits_per_symbol)
        assert transfer(link, sent, snr_db=snr_db).payload.digital == sent.digital


# -- clocks ------------------------------------------------------------------------------


def long_frame_snr_db(link, snr_db, **channel):
    """SNR that the analog symbols of a frame of 64,400 samples imply, and its measurements."""
    sent = link.frame(analog=36_500)
    frame = transfer(link, sent, snr_db=snr_db, **channel)
    return -db(error_of(frame, sent)), frame.info


@pytest.mark.parametrize("cfo_hz", [-120e3, 0.0, 120e3])
@pytest.mark.parametrize("sro_ppm", [-100.0, -20.0, 20.0, 100.0])
def test_long_frames_lose_under_0_2_db_to_a_sampling_rate_offset(link, sro_ppm, cfo_hz):
    """100 ppm are 6.4 samples over the frame; the sampling clock is no part of the carrier's."""
    for snr_db in (10.0, 20.0):
        reached_db, info = long_frame_snr_db(link, snr_db, sro_ppm=sro_ppm, cfo_hz=cfo_hz)
        assert reached_db > snr_db - 0.2
        assert info.sro_ppm == pytest.approx(sro_ppm, abs=0.5)
        assert info.cfo_hz == pytest.approx(cfo_hz, abs=0.5)


@pytest.mark.parametrize("sro_ppm", [-100.0, 100.0])
def test_sampling_rate_offset_in_multipath(link, sro_ppm):
    taps = np.array([0.6, 0.5j, 0, -0.5, 0.37], np.complex64)
    sent = link.frame(analog=36_500)
    frame = transfer(link, sent, taps=taps, snr_db=20, sro_ppm=sro_ppm)
    known = equalize(sent.grid, link.response(taps), 0.01)
    known_error = known.noise_var[link.numerology.data_index].mean()
    assert db(error_of(frame, sent) / known_error) < 0.3


def test_sro_is_measured_on_short_frames_too(link):
    errors = []
    for _ in range(20):
        frame = transfer(link, link.frame(analog=4000), snr_db=15, sro_ppm=30.0)
        errors.append(frame.info.sro_ppm - 30.0)
    assert np.sqrt(np.mean(np.square(errors))) < 2.0


def test_residual_cfo_is_under_1_percent_of_the_spacing(link):
    errors = []
    for carriers in np.linspace(-8, 8, 33):
        cfo_hz = carriers * DEFAULT.spacing_hz
        frame = transfer(link, link.frame(analog=200), snr_db=10, cfo_hz=cfo_hz)
        errors.append(frame.info.cfo_hz - cfo_hz)
    assert np.sqrt(np.mean(np.square(errors))) < 0.001 * DEFAULT.spacing_hz


# Linewidth of a free-running oscillator and what may remain of 20 dB, of 30 dB.  Even with
# the phase of each symbol known, its walk within the symbol leaves noise of 11/60 · 4π · β/Δf
# (Pollet 1995) of the signal: -38 dB at 1 Hz, -28 dB at 10 Hz.
@pytest.mark.parametrize(
    ("linewidth_hz", "of_20_db", "of_30_db"),
    [(0.0, 19.85, 29.8), (0.1, 19.75, 29.5), (1.0, 19.5, 28.7), (10.0, 18.8, 25.5)],
)
def test_phase_noise_is_followed(link, linewidth_hz, of_20_db, of_30_db):
    for snr_db, least_db in ((20.0, of_20_db), (30.0, of_30_db)):
        errors = []
        for _ in range(6):
            sent = link.frame(analog=8000)
            errors.append(
                error_of(transfer(link, sent, snr_db=snr_db, phase_noise_hz=linewidth_hz), sent)
            )
        assert -db(np.mean(errors)) > least_db


@pytest.mark.parametrize("delay", [0.1, 0.5, 0.77])
def test_sampling_between_the_samples_costs_nothing(link, delay):
    """A band-limited delay by a part of a sample."""
    errors = []
    for _ in range(8):
        sent = link.frame(analog=3000)
        stream = link.send(sent.samples)
        ramp = np.exp(-2j * np.pi * np.fft.fftfreq(len(stream)) * delay)
        stream = np.fft.ifft(np.fft.fft(stream) * ramp)
        stream = stream + link.normal(len(stream), link.numerology.symbol_energy / 100)
        frame = receive(link.find_one(stream.astype(np.complex64)), link.numerology)
        errors.append(error_of(frame, sent))
    assert -db(np.mean(errors)) > 19.8


# -- measurements ------------------------------------------------------------------------


@pytest.mark.parametrize("snr_db", [-2, 0, 5, 10, 20, 30])
def test_snr_estimate_within_1_db_in_awgn(link, snr_db):
    found = []
    for _ in range(30):
        stream = link.send(link.frame(analog=500).samples, snr_db=snr_db, cfo_hz=5e3)
        found += [receive(capture, link.numerology).info for capture in link.find(stream)]
    assert len(found) >= 20
    estimates = np.array([info.snr_db for info in found])
    assert np.max(np.abs(estimates - snr_db)) < 1.0
    assert np.mean(estimates) == pytest.approx(snr_db, abs=0.25)
    assert np.mean([info.evm_db for info in found]) == pytest.approx(-snr_db, abs=0.6)


@pytest.mark.parametrize("snr_db", [-2, 5, 15, 30])
def test_snr_estimate_within_2_db_in_multipath(link, snr_db):
    errors = []
    for _ in range(30):
        taps = link.rayleigh((0.5, 0.25, 0.12, 0.08, 0.05))
        power_db = db(np.mean(np.abs(link.response(taps)) ** 2))
        stream = link.send(link.frame(analog=500).samples, taps=taps, snr_db=snr_db, cfo_hz=5e3)
        for capture in link.find(stream):
            errors.append(receive(capture, link.numerology).info.snr_db - snr_db - power_db)
    assert len(errors) >= 15
    assert np.max(np.abs(errors)) < 2.0
    assert abs(np.mean(errors)) < 0.5


def test_all_that_was_measured_travels_with_the_frame(link):
    sent = link.frame(0xABC, analog=2000)
    stream = link.send(sent.samples * np.float32(0.1), before=3210, cfo_hz=-7e3)
    info = receive(link.find_one(stream), link.numerology).info
    assert (info.job_id, info.seq) == (7, 0xABC)
    assert info.timing_sample == 3210 + long_start(DEFAULT) - backoff(DEFAULT)
    assert info.power_dbfs == pytest.approx(-20.0, abs=0.3)
    assert info.cfo_hz == pytest.approx(-7e3, abs=1.0)
    assert info.snr_db > 60
    values = info.to_dict()
    assert {"snr_db", "cfo_hz", "sro_ppm", "evm_db", "timing_sample", "power_dbfs"} <= set(values)
    # They go into a message between processes: plain numbers only.
    assert {type(value) for value in values.values()} <= {int, float}


def test_the_channel_is_reported(link):
    taps = np.array([0.8, 0, 0, 0.6j], np.complex64)
    frame = transfer(link, link.frame(analog=2000), taps=taps, snr_db=25)
    correlation = np.vdot(np.abs(link.response(taps)), np.abs(frame.channel.response))
    lengths = np.linalg.norm(link.response(taps)) * np.linalg.norm(frame.channel.response)
    assert correlation / lengths > 0.999
    assert db(frame.channel.noise_var) == pytest.approx(-25, abs=0.7)


# -- damage ------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [6, 8, 12])
def test_quantisation_of_a_converter(link, bits):
    sent = link.frame(analog=4000)
    frame = transfer(link, sent, snr_db=20, adc_bits=bits)
    # At 6 bits the quantisation noise is 26 dB below the signal's, at 8 bits 38 dB.
    assert -db(error_of(frame, sent)) > (18.7 if bits == 6 else 19.7)


def test_iq_imbalance_of_an_uncalibrated_radio(link):
    """1 dB and 5 degrees put the image 23 dB below: EVM no better, frame still read."""
    sent = link.frame(analog=2000, digital=100)
    frame = transfer(link, sent, snr_db=30, iq_gain_db=1.0, iq_phase_deg=5.0)
    assert frame.payload.digital == sent.digital
    assert 18 < -db(error_of(frame, sent)) < 26


@pytest.mark.parametrize("lost", [200, 2000, 5000])
def test_a_frame_whose_samples_were_lost_is_read_without_a_warning(link, lost):
    """An overflow filled with zeros: the header is good, the end is not."""
    sent = link.frame(analog=4000, digital=50)
    samples = sent.samples.copy()
    samples[-lost:] = 0
    frame = transfer(link, frame_like(sent, samples), snr_db=20)
    assert np.all(np.isfinite(frame.payload.analog))
    assert np.all(np.isfinite(frame.payload.noise_var))
    assert frame.info.snr_db < 18


def frame_like(sent, samples):
    return type(sent)(sent.layout, sent.digital, sent.analog, sent.grid, samples)


def test_one_strong_impulse_spoils_one_symbol(link):
    sent = link.frame(analog=4000)
    stream = link.send(sent.samples, before=1000, snr_db=30, cfo_hz=1e3)
    stream[1000 + 4000] = 1e3
    frame = receive(link.find_one(stream), link.numerology)
    errors = np.abs(frame.payload.analog - sent.analog) ** 2
    assert np.mean(errors < 0.1) > 0.9
