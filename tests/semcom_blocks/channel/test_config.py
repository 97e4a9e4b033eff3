# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel's parameters: defaults, ranges, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.errors import ConfigError


def test_defaults_are_a_perfect_channel():
    config = ChannelConfig()
    assert config.model == "awgn" and config.snr_db is None and config.noise_variance == 0
    assert ChannelConfig.from_dict({}) == config


def test_noise_variance_follows_from_the_snr_of_a_data_symbol():
    assert ChannelConfig(snr_db=0).noise_variance == pytest.approx(64 / 52)
    assert ChannelConfig(snr_db=10, symbol_energy=2.0).noise_variance == pytest.approx(0.2)


def test_a_configuration_survives_json():
    config = ChannelConfig(model="multipath", snr_db=np.float32(5), adc_bits=np.int64(12), seed=3)
    assert ChannelConfig.from_dict(json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ChannelConfig().snr_db = 3.0


OUT_OF_RANGE = [
    ("snr_db", -30.1, "-30.0 to 60.0"),
    ("snr_db", 60.1, "-30.0 to 60.0"),
    ("cfo_hz", 500_001.0, "-500000.0 to 500000.0"),
    ("cfo_hz", -500_001.0, "-500000.0 to 500000.0"),
    ("sro_ppm", 200.1, "-200.0 to 200.0"),
    ("sro_ppm", -201, "-200.0 to 200.0"),
    ("delay_spread_s", -1e-9, "0.0 to 0.001"),
    ("delay_spread_s", 1e-2, "0.0 to 0.001"),
    ("phase_noise_hz", -1.0, "0.0 to 100000.0"),
    ("iq_gain_db", 10.5, "-10.0 to 10.0"),
    ("iq_phase_deg", 46, "-45.0 to 45.0"),
    ("dc_offset_db", 20.5, "-100.0 to 20.0"),
    ("adc_bits", 0, "1 to 16"),
    ("adc_bits", 17, "1 to 16"),
    ("adc_full_scale", 0.0, "0.001 to 1000.0"),
    ("sample_rate_hz", 0, "1000.0 to 1000000000.0"),
    ("symbol_energy", -1.0, "0.01 to 10000.0"),
    ("seed", -1, "0 to 9223372036854775807"),
    ("seed", 2**63, "0 to 9223372036854775807"),
]


@pytest.mark.parametrize(("name", "value", "span"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_named_with_its_range(name, value, span):
    with pytest.raises(ConfigError, match=f"{name} is {value}, permitted: {span}"):
        ChannelConfig(**{name: value})


NUMBERS = [
    field.name
    for field in dataclasses.fields(ChannelConfig)
    if field.name not in ("model", "hold_power")
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), "5", True, [1.0], 1j, 10**400]
)
def test_what_is_not_a_finite_number_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} is .*permitted: "):
        ChannelConfig(**{name: value})


@pytest.mark.parametrize(
    "name", [n for n in NUMBERS if n not in ("snr_db", "dc_offset_db", "adc_bits")]
)
def test_none_is_for_what_can_be_off(name):
    with pytest.raises(ConfigError, match=f"{name} is None"):
        ChannelConfig(**{name: None})


@pytest.mark.parametrize("name", ["adc_bits", "seed"])
def test_counts_are_whole(name):
    with pytest.raises(ConfigError, match=f"{name} is 8.0, permitted: an integer"):
        ChannelConfig(**{name: 8.0})


def test_models_and_switches():
    for wrong in ("AWGN", "rician", "", None, 3):
        with pytest.raises(ConfigError, match=r"model is .*permitted: awgn, rayleigh, multipath"):
            ChannelConfig(model=wrong)
    for wrong in (1, 0, "yes", None):
        with pytest.raises(ConfigError, match="hold_power is"):
            ChannelConfig(hold_power=wrong)


def test_the_delay_spread_is_bounded_in_samples():
    assert ChannelConfig(model="multipath", delay_spread_s=1e-4).delay_spread_s == 1e-4
    with pytest.raises(ConfigError, match=r"delay_spread_s is 0.0002, permitted: 0.0 to 0.0001"):
        ChannelConfig(model="multipath", delay_spread_s=2e-4)
    # It is not looked at where it means nothing.
    assert ChannelConfig(delay_spread_s=2e-4).model == "awgn"


def test_unknown_keys_are_refused():
    with pytest.raises(ConfigError, match=r"channel key is 'snr', permitted: model, snr_db"):
        ChannelConfig.from_dict({"snr": 3})
    for wrong in ([], ["snr_db"], None, "awgn"):
        with pytest.raises(ConfigError, match=r"channel is .*permitted: a mapping"):
            ChannelConfig.from_dict(wrong)
