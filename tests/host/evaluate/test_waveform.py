# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation of interleaving and of measures against peaks: what its figures stand on."""

import argparse
import io
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
from host.evaluate import waveform
from host.evaluate.waveform import SETTINGS, Setting
from host.evaluate.waveform_plots import curves
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.interleave import INTERLEAVERS
from semcom_blocks.phy.precoding import PRECODINGS

SIDE = 96


class Linear:
    """A codec whose symbols are the pixels, a tenth of the rows far stronger than the others."""

    name = "linear"

    def encode(self, pixels, rate, snr_db, fading=False):
        values = pixels.astype(np.float32).ravel() / 127.5 - 1
        symbols = values[0::2] + 1j * values[1::2]
        symbols *= self._weights(len(symbols))
        scale = float(np.sqrt(np.mean(np.abs(symbols) ** 2)))
        return (symbols / scale).astype(np.complex64), {"scale": scale, "n": len(symbols)}

    def decode(self, symbols, noise_var, descriptor):
        found = symbols * descriptor["scale"] / self._weights(len(symbols))
        values = np.stack([found.real, found.imag], axis=1).ravel()
        return np.clip((values + 1) * 127.5, 0, 255).astype(np.uint8).reshape(SIDE, SIDE, 3)

    def _weights(self, n):
        return np.where(np.arange(n) < n // 10, 6.0, 1.0)


@pytest.fixture(scope="module")
def photo():
    """Noise about grey, uint8 (96,96,3)."""
    drawn = np.random.default_rng(3).normal(127, 40, (SIDE, SIDE, 3))
    return np.clip(drawn, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def rows(photo):
    """A row of each setting."""
    args = argparse.Namespace(rate="1/12", snr_db=20.0, full_scale_snr_db=30.0, seed=1)
    found = []
    for how in SETTINGS:
        row = waveform.row_of(Linear(), photo, how, args, 0)
        about = {"image": "noise", "interleaver": how.interleaver, "setting": how.name}
        found.append(about | waveform.packets(how, np.random.default_rng(1)) | row)
    return found


def of(rows, setting, interleaver="golden"):
    (row,) = (r for r in rows if (r["setting"], r["interleaver"]) == (setting, interleaver))
    return row


def test_every_choice_is_measured_alone():
    assert {how.interleaver for how in SETTINGS} == set(INTERLEAVERS)
    assert {how.precoding for how in SETTINGS if how.papr_limit_db is None} == set(PRECODINGS)
    assert any(how.papr_limit_db and how.precoding == "none" for how in SETTINGS)
    assert Setting() in SETTINGS
    assert len({(how.interleaver, how.name) for how in SETTINGS}) == len(SETTINGS)


def test_rows_say_what_each_measure_does(rows):
    plain, mixed, single = (of(rows, name) for name in PRECODINGS)
    assert mixed["papr_db"] == pytest.approx(8.4, abs=0.4)  # Gaussian
    assert plain["papr_db"] > mixed["papr_db"] + 0.3
    assert single["papr_db"] > plain["papr_db"] + 1
    assert single["packet_papr_db"] < plain["packet_papr_db"] - 0.5
    assert of(rows, "clip 4 dB")["papr_db"] < 5.5
    # Clipping errs, precoding does not; over a fading channel precoding averages.
    assert mixed["psnr_db"] == pytest.approx(plain["psnr_db"], abs=0.4)
    assert of(rows, "clip 4 dB")["psnr_db"] < plain["psnr_db"] - 1
    assert of(rows, "frame", "random")["tilt_db"] < of(rows, "none", "random")["tilt_db"]
    for row in rows:
        assert row["limited_snr_db"] == pytest.approx(30 - row["papr_db"], abs=0.01)
        assert row["limited_psnr_db"] > 15


def test_a_lost_frame_costs_and_costs_most_where_it_was_strong(rows):
    for interleaver in INTERLEAVERS:
        row = of(rows, "none", interleaver)
        assert row["lost_worst_psnr_db"] <= row["lost_psnr_db"] < row["psnr_db"] - 3


def test_equal_keys_meet_equal_noise(photo):
    frames = waveform.built(Linear(), photo, "1/12", 20.0, Setting()).frames
    first, again, other = (
        waveform.heard(frames, "awgn", 20.0, key)[0][0] for key in ((1, 2), (1, 2), (1, 3))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_converter_saturates_as_seldom_as_the_papr_says(photo):
    frames = waveform.built(Linear(), photo, "1/12", 20.0, Setting()).frames
    papr_db = waveform.measure.papr_db(waveform.payload(frames), waveform.CCDF)
    sent = waveform.payload(waveform.driven(frames, papr_db))
    top = waveform.FULL_SCALE * (1 - 2.0**-waveform.DAC_BITS)
    assert np.abs(sent.view(np.float32)).max() <= top + 1e-6
    # A branch saturates more seldom than the envelope reaches full scale.
    assert 0 < np.mean(np.abs(sent.real) >= top - 1e-6) < waveform.CCDF
    gain = np.vdot(waveform.payload(frames), sent).real / np.sum(
        np.abs(waveform.payload(frames)) ** 2
    )
    assert 20 * np.log10(gain) == pytest.approx(-papr_db, abs=0.05)


def test_table_and_page(rows):
    lines = waveform.markdown(waveform.means(rows)).splitlines()
    assert len(lines) == 2 + len(SETTINGS)
    assert len({line.count("|") for line in lines}) == 1
    assert json.loads(waveform.document({"seed": 1}, rows)) == {"seed": 1, "rows": rows}
    with Image.open(io.BytesIO(curves(rows, waveform.LEVELS_DB.tolist()))) as page:
        assert page.width > 1000


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--rate", "1/7"], "rate is '1/7'"),
        (["--snr-db", "99"], "snr-db is 99"),
        (["--full-scale-snr-db", "nan"], "full-scale-snr-db is nan"),
        (["--seed", "-1"], "seed is -1"),
        (["--plot", "/nowhere/at/all.png"], "all.png"),
    ],
)
def test_refusals(words, named):
    parser = argparse.ArgumentParser()
    waveform.add_arguments(parser)
    with pytest.raises(ConfigError, match=named):
        waveform.run(parser.parse_args(words))
