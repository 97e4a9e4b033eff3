# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual radios' levels give the signal-to-noise ratio that a run asks for."""

import math

import pytest

from host.config import load_run
from host.config.air import check_air
from host.pipeline.virtual_air import RX_LEVEL_DBFS, air_tables, check_channel, levels
from semcom_blocks.air.frontend import noise_dbfs, received_dbfs
from semcom_blocks.errors import ConfigError

ADDRESSES = ["127.0.0.1", "127.0.0.2"]
#: Gain at which each driver's transmitter is at its largest.
LARGEST_DB = {"pluto": 0.0, "usrp": 89.75}


def run_of(kind, **given):
    return load_run(overrides={"radio.spec": kind, **given})


@pytest.mark.parametrize("kind", ["pluto", "usrp"])
@pytest.mark.parametrize("snr_db", [-10, 0, 20, 40, 55])
@pytest.mark.parametrize("given", [{}, {"radio.drive_dbfs": -20.0, "radio.sample_rate_hz": 2.4e6}])
def test_link_budget(kind, snr_db, given):
    run = run_of(kind, **{"channel.snr_db": snr_db, **given})
    tx_gain_db, path_db, rx_gain_db = levels(run, kind)
    sent_dbm = 7.0 + run.radio.drive_dbfs + tx_gain_db - LARGEST_DB[kind]
    signal_dbfs = received_dbfs(sent_dbm + path_db, rx_gain_db)
    thermal_dbfs = noise_dbfs(3.0, rx_gain_db, run.radio.sample_rate_hz)
    # Rounding to 2047 codes: a twelfth of a step, in each branch.
    converter_dbfs = 10 * math.log10(2 / 12 / 2047**2)
    noise = 10 ** (thermal_dbfs / 10) + 10 ** (converter_dbfs / 10)
    found_db = signal_dbfs - 10 * math.log10(noise) + 10 * math.log10(64 / 52)
    assert found_db == pytest.approx(snr_db, abs=0.3)
    total_dbfs = 10 * math.log10(10 ** (signal_dbfs / 10) + 10 ** (thermal_dbfs / 10))
    assert total_dbfs < RX_LEVEL_DBFS + 1


def test_gains_that_were_given_are_kept():
    run = run_of("pluto", **{"radio.tx_gain_db": -30.0, "radio.rx_gain_db": 20.0})
    tx_gain_db, path_db, rx_gain_db = levels(run, "pluto")
    assert (tx_gain_db, rx_gain_db) == (-30.0, 20.0)
    assert path_db == pytest.approx(levels(run_of("pluto"), "pluto")[1] + 20)


@pytest.mark.parametrize("model", ["awgn", "rayleigh", "multipath", "none"])
@pytest.mark.parametrize("kind", ["pluto", "usrp"])
def test_the_air_takes_it(kind, model):
    run = run_of(kind, **{"channel.model": model, "channel.iq_gain_db": 1.0, "seed": 4})
    air = check_air(air_tables(run, kind, ADDRESSES))
    assert [device.clock_ppm for device in air.devices] == [10, -10]
    assert [device.iq_gain_db for device in air.devices] == [0, 1]
    assert (air.seed, air.clock) == (4, "virtual")
    taps = air.paths[0].taps
    assert sum(re**2 + im**2 for re, im in taps) == pytest.approx(1, rel=1e-3)
    assert (len(taps) > 1) == (model == "multipath")


@pytest.mark.parametrize(
    ("name", "value"), [("cfo_hz", 5.0), ("sro_ppm", 1.0), ("adc_bits", 8), ("hold_power", True)]
)
def test_what_the_radios_do_by_themselves_cannot_be_asked_for(name, value):
    check_channel(run_of("usrp"))
    with pytest.raises(
        ConfigError, match=f"channel.{name} is {value}, permitted with radio 'usrp'"
    ):
        check_channel(run_of("usrp", **{f"channel.{name}": value}))
