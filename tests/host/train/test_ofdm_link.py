# SPDX-License-Identifier: GPL-3.0-or-later
"""The differentiable OFDM link: against theory, and against the testbed's own modulator, software
channel and receiver."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from host.bench.link import air  # noqa: E402
from host.bench.link.paths import Path  # noqa: E402
from host.train.link import TRAIN_SNR_DB  # noqa: E402
from host.train.ofdm_link import (  # noqa: E402
    CLIP_DB,
    FRAMES,
    NUMEROLOGY,
    Conditions,
    draw_conditions,
    over_air,
    over_frames,
    through_link,
)
from host.train.ofdm_waveform import clip_and_filter, mmse, waveform  # noqa: E402
from models.jscc import Jscc, JsccConfig  # noqa: E402
from models.rates import RATE_PLANES  # noqa: E402
from models.symbols import normalise_power  # noqa: E402
from semcom_blocks.phy.equalizer import equalize  # noqa: E402
from semcom_blocks.phy.grid import FrameLayout, build_grid  # noqa: E402
from semcom_blocks.phy.header import FrameHeader  # noqa: E402
from semcom_blocks.phy.interleave import gather, spread  # noqa: E402
from semcom_blocks.phy.modulator import TransmitLevel, modulate  # noqa: E402
from semcom_blocks.phy.receiver import receive  # noqa: E402

N_USED = NUMEROLOGY.n_used


def still(count, snr_db, frames=1, response=None, **changed):
    """Conditions of a channel that does nothing but add noise."""
    if response is None:
        response = torch.ones(count, frames, N_USED, dtype=torch.complex64)
    told = torch.full((count,), float(snr_db))
    quiet = Conditions(
        torch.full((count,), 8), told, torch.zeros(count, dtype=torch.bool), told,
        response, torch.zeros_like(response),
        torch.full((count,), torch.inf), torch.zeros(count),
        torch.zeros(count, frames, dtype=torch.bool),
    )  # fmt: skip
    return replace(quiet, **changed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def power(values):
    return values.abs().square()


@pytest.mark.parametrize("precoded", [False, True])
@pytest.mark.parametrize(("symbols", "frames"), [(512, 1), (512, 4), (1000, 3), (20, 1)])
def test_symbols_come_back_as_they_went_in(symbols, frames, precoded):
    wave = waveform(symbols, frames, precoded)
    sent = normal(2, symbols)
    cells = wave.fill(sent)
    # Parseval: the energy of the symbols is in their cells, whether precoded or not.
    others = wave.fill(torch.zeros(2, symbols))
    assert power(cells - others).sum() == pytest.approx(float(power(sent).sum()), rel=1e-5)
    one, none = torch.ones(2, frames, N_USED), torch.zeros(2, frames, N_USED)
    got, error = wave.extract(cells, one, none)
    assert torch.allclose(got, sent, atol=1e-5)
    assert float(error.max()) < 1e-9
    # Nobody's known cell is overwritten, and what is no symbol has unit power.
    known = (wave.reference != 0).expand_as(cells)
    assert torch.equal(cells[known], wave.reference.expand_as(cells)[known])
    others = others[0]
    assert power(others[others != 0]).sub(1).abs().max() < 1e-5
    assert int((others == 0).sum()) == symbols


def test_frames_of_one_picture_hold_symbols_from_all_over_it():
    wave = waveform(1024, 4, True)
    frame = (wave.lane // N_USED)[wave.order.argsort()]
    halves = torch.stack([torch.bincount(part, minlength=4) for part in frame.chunk(2)])
    assert (halves - 128).abs().max() <= 40  # five deviations of a random order


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_white_noise_costs_no_more_than_the_estimate(snr_db):
    """Error of the symbols is σ² of the channel: estimating it by 17 known cells costs 0.1 dB."""
    count, symbols = 40, 512
    sent = normal(count, symbols)
    generator = torch.Generator().manual_seed(1)
    wave = waveform(symbols, 1, False)
    got, variance = over_frames(wave, sent, still(count, snr_db), generator)
    # An MMSE gain of mean 1 hardly moves over a flat channel, so the error is the noise.
    measured = float(-10 * power(got - sent).mean().log10())
    assert snr_db - 0.2 < measured < snr_db + 0.1
    assert float(-10 * variance.mean().log10()) == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("gain_db", [-6.0, 6.0])
def test_told_variance_is_the_error_in_flat_fading(gain_db):
    count, symbols = 60, 400
    response = torch.full((count, 1, N_USED), 10 ** (gain_db / 20)) * torch.polar(
        torch.ones(count, 1, 1), torch.rand(count, 1, 1) * 6
    )
    sent = normal(count, symbols)
    generator = torch.Generator().manual_seed(2)
    conditions = still(count, 10, response=response)
    got, variance = over_frames(waveform(symbols, 1, False), sent, conditions, generator)
    error = float(power(got - sent).mean())
    assert float(variance.mean()) == pytest.approx(error, rel=0.05)
    assert error == pytest.approx(10 ** (-(10 + gain_db) / 10), rel=0.05)


def test_told_variance_is_the_error_on_each_carrier_of_a_fading_channel():
    count, symbols = 400, 480
    taps = normal(1, 3, seed=4) * torch.tensor([0.7, 0.5, 0.3])
    turn = torch.outer(torch.arange(3.0), torch.from_numpy(NUMEROLOGY.carriers).float())
    response = taps @ torch.polar(torch.ones(()), -2 * torch.pi * turn / NUMEROLOGY.fft_size)
    conditions = still(count, 12, response=response.expand(count, 1, -1))
    wave, sent = waveform(symbols, 1, False), normal(count, symbols, seed=5)
    got, variance = over_frames(wave, sent, conditions, torch.Generator().manual_seed(3))
    error = power(got - sent).mean(0)
    worst = []
    lane = wave.lane[wave.order.argsort()]
    for carrier in lane.unique():
        here = lane == carrier
        worst.append(float(error[here].mean() / variance[:, here].mean()))
    assert 0.85 < min(worst) < max(worst) < 1.3  # the estimate's own error is not told
    assert np.mean(worst) == pytest.approx(1, abs=0.08)


def test_clipping_is_the_modulators_and_keeps_the_power():
    wave = waveform(600, 1, False)
    cells = wave.fill(normal(3, 600))
    limit_db = torch.tensor([4.0, 6.0, 12.0])
    clipped = clip_and_filter(cells[:, :, 2:], limit_db)
    there = modulate(cells[0, 0, 2:].numpy(), NUMEROLOGY, TransmitLevel(papr_limit_db=4.0))
    symbols = there[-cells[0, 0, 2:].shape[0] * NUMEROLOGY.symbol_len :].reshape(
        -1, NUMEROLOGY.symbol_len
    )[:, NUMEROLOGY.cp_len :]
    spectrum = np.fft.fft(symbols, axis=1)[:, NUMEROLOGY.carriers % NUMEROLOGY.fft_size]
    expected = spectrum * np.sqrt(N_USED) / NUMEROLOGY.fft_size
    assert np.abs(clipped[0, 0].numpy() - expected).max() < 1e-4
    before, after = (power(x).mean((1, 2, 3)) for x in (cells[:, :, 2:], clipped))
    assert torch.allclose(before, after, rtol=1e-4)
    distortion = power(clipped - cells[:, :, 2:]).mean((1, 2, 3))
    assert distortion[0] > 3 * distortion[1] > 0 and distortion[2] < 1e-4


def test_equaliser_is_the_receivers():
    response = normal(2, 3, N_USED)
    noise_var = torch.rand(2, 3) + 0.01
    factor, gain, error = mmse(response, noise_var)
    for b, f in np.ndindex(2, 3):
        one = equalize(
            np.ones((1, N_USED), np.complex64), response[b, f].numpy(), float(noise_var[b, f])
        )
        np.testing.assert_allclose(factor[b, f].numpy(), one.cells[0], rtol=1e-4)
        np.testing.assert_allclose(gain[b, f].numpy(), one.gain, rtol=1e-4)
        np.testing.assert_allclose(error[b, f].numpy(), one.noise_var, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("precoding", ["none", "frame"])
@pytest.mark.parametrize("limit_db", [None, 5.0])
def test_agrees_with_modulator_channel_and_receiver_of_the_testbed(limit_db, precoding):
    """One frame over a static channel: symbols differ by the noise at 60 dB and no more."""
    symbols = 500
    rng = np.random.default_rng(3)
    sent = air.gaussian(rng, symbols)
    path = Path(np.array([0.8, 0.3 - 0.4j, 0.2j], np.complex64), 0.0)
    header = FrameHeader(1, 0, stream_id=1, analog_symbols=symbols, precoding=precoding)
    layout = FrameLayout(NUMEROLOGY, header)
    on_air = spread(sent)
    grid = build_grid(layout, b"", on_air)
    samples = modulate(grid, NUMEROLOGY, TransmitLevel(papr_limit_db=limit_db))
    frame = air.Sent(layout, b"", on_air, grid, samples)
    heard = air.send(frame, path, rng, snr_db=60, cfo_hz=1000.0)
    capture = air.find(heard, frame)
    payload = receive(capture, NUMEROLOGY).payload
    expected, told = gather(payload.analog), gather(payload.noise_var)

    response = torch.from_numpy(path.response(NUMEROLOGY, early=3))[None, None]
    limit = torch.tensor([torch.inf if limit_db is None else limit_db])
    wave = waveform(symbols, 1, precoding == "frame")
    conditions = still(1, 60, response=response, clip_db=limit)
    generator = torch.Generator().manual_seed(6)
    got, variance = over_frames(wave, torch.from_numpy(sent)[None], conditions, generator)
    apart = np.mean(np.abs(got[0].numpy() - expected) ** 2)
    if limit_db is None:
        assert np.mean(np.abs(expected - sent) ** 2) < 1e-4
        assert apart < 5e-5
    else:  # the same distortion, far above the noise, but for what the tracker makes of it
        assert np.mean(np.abs(expected - sent) ** 2) > 3e-3
        assert apart < 4e-4
        np.testing.assert_allclose(variance[0].numpy(), told, rtol=0.1)


def test_gradient_reaches_what_was_sent_through_clipping_and_fading():
    drawn = draw_conditions((6, 32, 8, 8), torch.Generator().manual_seed(8))
    clipped = replace(drawn, clip_db=torch.full((6,), 4.0))
    sent = normalise_power(torch.randn(6, 32, 8, 8), torch.ones(6, 32, 1, 1)).requires_grad_()
    got, noise_var = over_air(sent, clipped, torch.Generator().manual_seed(9))
    got.square().sum().backward()
    assert sent.grad.isfinite().all()
    arrived = torch.isfinite(noise_var).repeat_interleave(2, dim=1)
    assert (sent.grad[arrived] != 0).float().mean() > 0.99

    # Against a finite difference, along the gradient, in double the step's noise.
    direction = sent.grad / sent.grad.norm()
    step, values = 0.05, []
    for side in (1, -1):
        with torch.no_grad():
            moved, _ = over_air(
                sent + side * step * direction, clipped, torch.Generator().manual_seed(9)
            )
        values.append(float(moved.square().sum()))
    slope = (values[0] - values[1]) / (2 * step)
    assert slope == pytest.approx(float(sent.grad.norm()), rel=0.1)


def test_lost_frames_are_erased_and_never_all_of_them():
    lost = torch.tensor([[True, False], [True, True]])
    conditions = still(2, 10, 2, lost=lost)
    wave = waveform(200, 2, False)
    got, variance = over_frames(wave, normal(2, 200), conditions, torch.Generator().manual_seed(1))
    gone = torch.isinf(variance)
    assert gone[0].sum() == 100 and not gone[1].any()
    assert not got[gone].any() and (got[~gone] != 0).all()


def test_phase_and_drift_raise_error_and_what_is_told():
    count, symbols = 30, 500
    wave, sent = waveform(symbols, 1, False), normal(30, 500)
    told, error = [], []
    for changed in (
        {},
        {"phase": torch.full((count,), 0.1)},
        {"drift": 0.5 * normal(count, 1, 1).expand(-1, -1, N_USED)},
    ):
        generator = torch.Generator().manual_seed(1)
        got, variance = over_frames(wave, sent, still(count, 20, **changed), generator)
        told.append(float(variance.mean()))
        error.append(float(power(got - sent).mean()))
    assert error[1] - error[0] == pytest.approx(0.01, rel=0.25)  # E|1 - exp(jφ)|² is about σ²
    assert min(told[1:]) > 1.3 * told[0] and min(error[1:]) > 1.3 * error[0]


def test_drawn_conditions_are_what_they_say():
    generator = torch.Generator().manual_seed(0)
    many = [draw_conditions((120, 32, 8, 8), generator) for _ in range(40)]
    assert {c.response.shape[1] for c in many} == set(FRAMES)
    assert 0.6 < np.mean([c.precoded for c in many]) < 0.95
    planes = torch.cat([c.planes for c in many])
    assert set(planes.tolist()) == set(RATE_PLANES)
    snr_db = torch.cat([c.snr_db for c in many])
    assert TRAIN_SNR_DB[0] <= snr_db.min() and snr_db.max() <= TRAIN_SNR_DB[1]
    told = torch.cat([c.encoder_snr_db for c in many])
    assert 0.1 < (told != snr_db).float().mean() < 0.2
    clip = torch.cat([c.clip_db for c in many])
    limited = clip[clip.isfinite()]
    assert 0.2 < len(limited) / len(clip) < 0.4
    assert CLIP_DB[0] <= limited.min() and limited.max() <= CLIP_DB[1]
    # The channel neither amplifies nor attenuates in the mean.
    level = torch.cat([power(c.response).mean((1, 2)) for c in many])
    assert float(level.mean()) == pytest.approx(1, abs=0.05)
    # Lost frames are those of low SNR, and a few of any.
    high = torch.cat([c.lost[c.snr_db > 18].float().mean(1) for c in many])
    low = torch.cat([c.lost[c.snr_db < 0].float().mean(1) for c in many])
    assert 0.005 < high.mean() < 0.08 < low.mean() < 0.5


def test_equal_seeds_equal_everything():
    results = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(5)
        drawn = draw_conditions((5, 32, 8, 8), generator)
        results.append(over_air(torch.ones(5, 32, 8, 8), drawn, generator))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("bits_per_symbol", [0, 4])
def test_a_codec_goes_through_and_learns_from_it(bits_per_symbol):
    torch.manual_seed(1)
    model = Jscc(JsccConfig(32, 8, 1, 1, bits_per_symbol))
    generator = torch.Generator().manual_seed(2)
    pictures = torch.rand(6, 3, 32, 32, generator=generator)
    conditions = draw_conditions((6, 32, 8, 8), generator)
    with torch.autocast("cpu", torch.bfloat16):
        decoded = through_link(model, pictures, conditions, generator, True, 3.0)
    assert decoded.shape == pictures.shape and decoded.isfinite().all()
    (decoded - pictures).square().mean().backward()
    for parameter in (model.encoder.amplitude, model.decoder.amplitude, model.encoder.mean):
        assert parameter.grad.isfinite().all() and parameter.grad.any()


def test_planes_that_are_not_sent_are_erased():
    drawn = draw_conditions((16, 32, 8, 8), torch.Generator().manual_seed(3))
    got, noise_var = over_air(torch.ones(16, 32, 8, 8), drawn, torch.Generator().manual_seed(4))
    for index, planes in enumerate(drawn.planes.tolist()):
        assert torch.isinf(noise_var[index, planes:]).all()
        assert not got[index, 2 * planes :].any()
        assert torch.isfinite(noise_var[index, :planes]).any()
    assert (noise_var > 0).all()
