# SPDX-License-Identifier: GPL-3.0-or-later
"""5G LDPC over QAM: exact without noise, at the operating points that others measured."""

import importlib.util
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri

pytest.importorskip("sionna")
from host.baseline.ldpc import CodeWord, _from_axes, _to_axes, send
from host.baseline.mcs import Mcs
from semcom_blocks.errors import ConfigError


def published(index: int, block: str, bler: float) -> float:
    """SNR of a PDSCH block error rate in Sionna's own table 1, between its points as a tail."""
    folder = Path(importlib.util.find_spec("sionna").submodule_search_locations[0])
    text = (folder / "sys" / "bler_tables" / "PDSCH_table1.json").read_text(encoding="utf-8")
    row = json.loads(text)["category"]["1"]["index"]["1"]["MCS"][str(index)]
    rates = np.array(row["CBS"][block]["BLER"])
    inside = (rates > 0) & (rates < 1)
    at = np.array(row["SNR_db"])[inside]
    return float(np.interp(-ndtri(bler), -ndtri(rates[inside]), at))


@pytest.mark.parametrize("name", ["QPSK 1/5", "64-QAM 3/4", "256-QAM 5/6"])
def test_without_noise_every_bit_returns(name):
    word = CodeWord(Mcs.parse(name), 128)
    bits = np.random.default_rng(0).integers(0, 2, (3, word.payload_bits), dtype=np.uint8)
    symbols = word.modulate(bits)
    assert symbols.shape == (3, 128)
    found, good = word.demodulate(symbols, np.full(symbols.shape, 1e-3, np.float32))
    assert np.array_equal(found, bits)
    assert good.all()


def test_labels_keep_38211s_order_of_reliability():
    labels = np.array([[0, 1, 2, 3, 4, 5]])  # i q i q i q
    axes = _to_axes(labels, 6).reshape(1, -1)
    assert axes.tolist() == [[0, 2, 4, 1, 3, 5]]
    assert _from_axes(axes, 6).reshape(1, -1).tolist() == labels.tolist()


# (index of MCS table 1 in 38.214, its bits a symbol and rate times 1024, bits of the code block)
@pytest.mark.parametrize(("index", "bits", "rate"), [(7, 2, 526), (15, 4, 616)])
def test_within_half_a_db_of_a_published_table(index, bits, rate):
    mcs = Mcs(bits, Fraction(rate, 1024))
    word = CodeWord(mcs, round(100 / mcs.rate / bits))
    expected = published(index, "100", 0.1)
    rng = np.random.default_rng(index)
    worse, better = (send(word, 200, np.ones(1), expected + at, rng)[0] for at in (-0.5, 0.5))
    assert better < 20 < worse  # of 200


def test_a_known_fade_is_as_good_as_the_power_it_leaves():
    word = CodeWord(Mcs.parse("QPSK 1/2"), 128)
    gain = np.array([0.5j], np.complex64)
    counts = [
        send(word, 40, h, snr_db, np.random.default_rng(3))[0]
        for h, snr_db in ((np.ones(1), 0.5), (gain, 0.5 + 20 * np.log10(2)))
    ]
    assert counts[0] == counts[1]
    assert 3 < counts[0] < 37


def test_noise_alone_is_recognised():
    word = CodeWord(Mcs.parse("QPSK 1/2"), 128)
    rng = np.random.default_rng(4)
    noise = (rng.standard_normal((40, 128, 2)) @ np.array([1, 1j])).astype(np.complex64)
    assert not word.demodulate(noise, np.full((40, 128), 2.0, np.float32))[1].any()


def test_refusals():
    with pytest.raises(ConfigError, match="symbols is 8"):
        CodeWord(Mcs.parse("QPSK 1/2"), 8)
    with pytest.raises(ConfigError, match="symbols is 40000"):
        CodeWord(Mcs.parse("QPSK 1/2"), 40_000)
    word = CodeWord(Mcs.parse("QPSK 1/2"), 128)
    with pytest.raises(ConfigError, match=r"bits are \(1, 5\)"):
        word.modulate(np.zeros((1, 5), np.uint8))
    with pytest.raises(ConfigError, match="snr_db is nan"):
        send(word, 1, np.ones(1), float("nan"), np.random.default_rng(0))
