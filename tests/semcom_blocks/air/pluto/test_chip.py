# SPDX-License-Identifier: GPL-3.0-or-later
import errno

import pytest

from semcom_blocks.air.pluto.chip import Chip, parse_fir

FIR = "RX 3 GAIN -6 DEC {0}\nTX 3 GAIN 0 INT {0}\n" + "-15,-15\n" * 128 + "\n"


@pytest.fixture
def chip():
    return Chip(lambda: None, agc=False)


def refused(call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno


@pytest.mark.parametrize(
    ("asked", "held"), [("0", 0.0), ("-0.3", -0.25), ("-10.99 dB", -10.75), ("-89.75", -89.75)]
)
def test_transmit_attenuation_in_quarters_of_a_decibel(chip, asked, held):
    chip.set_tx_gain(asked)
    assert chip.tx.gain_db == held


@pytest.mark.parametrize("text", ["0.25", "-90", "nan", "inf", "", "loud"])
def test_transmit_gains_outside(chip, text):
    before = chip.tx.gain_db
    assert refused(chip.set_tx_gain, text) == errno.EINVAL
    assert chip.tx.gain_db == before


def test_receive_gain_in_whole_decibels_within_the_band_s_range(chip):
    chip.set_rx_gain("20.9 dB")
    assert chip.rx.gain_db == 20
    assert refused(chip.set_rx_gain, "72") == errno.EINVAL
    chip.set_lo(chip.rx, "915000000")
    chip.set_rx_gain("73")
    chip.set_lo(chip.rx, "2400000000")  # where 71 is the most
    assert chip.rx.gain_db == 71


def test_automatic_gain_takes_none_from_outside(chip):
    chip.set_gain_mode("fast_attack")
    assert refused(chip.set_rx_gain, "10") == errno.EOPNOTSUPP
    assert refused(chip.set_gain_mode, "psychic") == errno.EINVAL


@pytest.mark.parametrize("text", ["324999999", "3800000001", "-1", "nan", "2.4 GHz"])
def test_carriers_outside(chip, text):
    assert refused(chip.set_lo, chip.rx, text) == errno.EINVAL


def test_slow_rates_need_the_filter(chip):
    assert refused(chip.set_rate, "1000000") == errno.EINVAL
    assert refused(chip.enable_fir, "1") == errno.EINVAL  # none is loaded
    chip.load_fir(FIR.format(4))
    assert str(chip.fir) == "FIR Rx: 128,4 Tx: 128,4"
    chip.enable_fir("1")
    chip.set_rate("1000000")
    assert chip.reported_rate_hz == 1_000_000
    assert refused(chip.enable_fir, "0") == errno.EINVAL
    assert refused(chip.load_fir, FIR.format(1)) == errno.EINVAL  # in use, and needed
    chip.load_fir(FIR.format(4))
    assert refused(chip.set_rate, "520000") == errno.EINVAL
    assert refused(chip.set_rate, "61440001") == errno.EINVAL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,1\n" * 128,  # no head
        FIR.format(3),
        FIR.format(4).replace("TX 3 GAIN 0 INT 4\n", "TX 3 GAIN 0 INT 2\n"),
        FIR.format(4) + "1,1\n",  # 129 taps
        FIR.format(4).replace("-15,-15", "-15,40000", 1),
        FIR.format(4) + "rm -rf\n",
    ],
)
def test_filters_refused(text):
    assert refused(parse_fir, text) == errno.EINVAL


def test_the_crystal_correction_moves_carriers_and_rate(chip):
    chip.set_lo(chip.rx, "2400000000")
    chip.set_reference("40000400")  # the crystal is 10 ppm fast, says calibration
    assert chip.lo_hz(chip.rx) == pytest.approx(2.4e9 * (1 - 10e-6), abs=1)
    assert chip.lo_hz(chip.rx, reported=True) == pytest.approx(2.4e9, abs=1)
    assert chip.clocks.sample_rate_hz == pytest.approx(30.72e6 * (1 - 10e-6), rel=1e-8)
    assert chip.reported_rate_hz == 30_720_000
    assert refused(chip.set_reference, "40008001") == errno.EINVAL


def test_only_modelled_loopbacks(chip):
    chip.set_loopback("1")
    assert chip.loopback == 1
    assert refused(chip.set_loopback, "2") == errno.EOPNOTSUPP
    assert refused(chip.set_loopback, "3") == errno.EINVAL


def test_every_change_is_told():
    told = []
    chip = Chip(lambda: told.append(1))
    chip.set_rate("5000000")
    chip.set_lo(chip.tx, "1e9")
    chip.set_bandwidth(chip.rx, "2000000")
    chip.set_tx_gain("-3")
    chip.set_gain_mode("manual")
    chip.set_reference("40000001")
    assert len(told) == 6
