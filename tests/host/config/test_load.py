# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is validated whole; every refusal is one line with value and range."""

import pytest

from host.config import RunConfig, load_run
from semcom_blocks.errors import ConfigError


def test_defaults_are_a_valid_run():
    run = load_run()
    assert run == RunConfig()
    assert run.channel.model == "awgn"
    assert run.channel.snr_db == 20.0


def test_command_line_wins_over_file_wins_over_defaults(tmp_path):
    file = tmp_path / "f.toml"
    file.write_text('seed = 7\n[channel]\nsnr_db = 5\nmodel = "rayleigh"\n')
    run = load_run(file, {"channel.snr_db": 11.0}, {"channel.model": "none", "codec.rate": "1/12"})
    assert run.seed == 7
    assert run.channel.snr_db == 11.0
    assert run.channel.model == "rayleigh"
    assert run.codec.rate == "1/12"


@pytest.mark.parametrize(
    ("dotted", "value", "words"),
    [
        (
            "channel.snr_db",
            float("nan"),
            ["channel.snr_db", "nan", "not a finite number", "-10 to 60"],
        ),
        ("channel.snr_db", float("inf"), ["inf", "-10 to 60"]),
        ("channel.snr_db", 61, ["61", "-10 to 60"]),
        ("channel.snr_db", "loud", ["'loud'", "-10 to 60"]),
        ("channel.model", "fog", ["'fog'", "awgn, rayleigh, multipath"]),
        ("channel.cfo_hz", 1e6, ["1000000.0", "-100000 to 100000"]),
        ("channel.sro_ppm", -101, ["-101", "-100 to 100"]),
        ("channel.delay_spread_s", -1e-9, ["-1e-09", "0 to 2e-05"]),
        ("link.repeats", 0, ["link.repeats", "0", "1 to 20"]),
        ("link.repeats", 2.5, ["2.5", "whole number", "1 to 20"]),
        ("link.arq.max_attempts", 256, ["link.arq.max_attempts", "256", "1 to 255"]),
        ("seed", -1, ["seed", "-1", "0 to"]),
        ("radio.spec", "hackrf", ["'hackrf'", "sim, file:PATH, pluto:URI, usrp:ARGS"]),
        ("radio.spec", "pluto:", ["'pluto:'", "pluto:URI"]),
        ("radio.rx_spec", "sim:1", ["'sim:1'", "pluto:URI"]),
        ("radio.spec", "file:a\0", ["NUL"]),
        ("radio.center_freq_hz", 1e12, ["radio.center_freq_hz", "1e+06 to 1e+10"]),
        ("radio.tx_gain_db", "loud", ["radio.tx_gain_db", "'loud'", "-90 to 100"]),
        ("radio.drive_dbfs", 1, ["radio.drive_dbfs", "1", "-60 to 0"]),
        ("radio.buffer_samples", 16, ["radio.buffer_samples", "16", "256 to"]),
        ("radio.spec", "file:", ["'file:'", "sim, file:PATH"]),
        ("network.host_port", 80, ["80", "1024 to 65535"]),
        ("network.bind", "a b", ["network.bind", "'a b'", "host name"]),
        ("channel.adc_bits", 17, ["channel.adc_bits", "17", "1 to 16"]),
        ("network.bind", "::1", ["network.bind", "'::1'"]),
        ("numerology.fft_size", 63, ["63", "64"]),
        ("channel.tone_hz", 1.0, ["channel.tone_hz", "unknown key", "snr_db"]),
        ("chanel.snr_db", 1.0, ["'chanel'", "unknown key", "channel"]),
    ],
)
def test_refusal_names_value_and_range(dotted, value, words):
    with pytest.raises(ConfigError) as caught:
        load_run(overrides={dotted: value})
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"seed = ", "not TOML"),
        (b"seed = 1\nseed = 2\n", "not TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[channel]\nsnr_db = nan\n", "not a finite number"),
        (b"a" * (1 << 21), "bytes"),
    ],
)
def test_bad_files(tmp_path, content, word):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=word) as caught:
        load_run(file)
    assert "\n" not in str(caught.value)


def test_absent_file_and_folder(tmp_path):
    for path in (tmp_path / "no.toml", tmp_path):
        with pytest.raises(ConfigError, match="is not a file"):
            load_run(path)


def test_a_run_cannot_be_changed():
    run = load_run()
    with pytest.raises(ValueError, match="frozen"):
        run.seed = 2


@pytest.mark.parametrize(
    ("overrides", "fades"),
    [
        ({}, False),
        ({"channel.model": "none"}, False),
        ({"channel.model": "rayleigh"}, True),
        ({"channel.model": "multipath"}, True),
        ({"channel.model": "rayleigh", "codec.fading": "no"}, False),
        ({"codec.fading": "yes"}, True),
        ({"radio.spec": "usrp:addr=b"}, True),  # nobody knows what lies between
        ({"radio.spec": "usrp:addr=b", "codec.fading": "no"}, False),
    ],
)
def test_the_codec_is_told_whether_the_channel_fades(overrides, fades):
    assert load_run(overrides=overrides).fades is fades
