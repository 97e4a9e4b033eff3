# SPDX-License-Identifier: GPL-3.0-or-later
"""What the radio processes are told."""

import json
from dataclasses import asdict
from typing import get_args

import pytest

from host import config
from host.config import RadioConfig, load_run, radio_job
from models.rates import RATES
from semcom_blocks.channel.config import CHANNEL_MODELS, ChannelConfig
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import equalizer, estimators
from semcom_blocks.radio.job import FRONT_RANGES, FrontEnd, RadioJob


def test_channel_sits_in_the_sender_with_the_runs_seed():
    run = load_run(overrides={"seed": 42, "channel.snr_db": 3.0})
    tx, rx = radio_job(run, "tx"), radio_job(run, "rx")
    assert tx["channel"]["seed"] == 42
    assert tx["channel"]["snr_db"] == 3.0
    assert rx["channel"] is None
    assert (tx["role"], rx["role"]) == ("tx", "rx")


def test_no_channel_means_null():
    assert radio_job(load_run(overrides={"channel.model": "none"}), "tx")["channel"] is None


def test_two_machines():
    run = load_run(overrides={"network.peer": "10.0.0.2", "network.bind": "0.0.0.0"})
    tx, rx = radio_job(run, "tx")["endpoints"], radio_job(run, "rx")["endpoints"]
    assert tx["samples"] == "tcp://10.0.0.2:5563"
    assert rx["samples"] == "tcp://0.0.0.0:5563"
    assert tx["feedback"].endswith(":5562")
    # What steers a radio is never opened to the network.
    assert tx["source"] == "tcp://127.0.0.1:5560"
    assert rx["sink"] == "tcp://127.0.0.1:5561"


def test_it_is_strict_json():
    text = json.dumps(radio_job(load_run(), "tx"), allow_nan=False)
    assert json.loads(text)["link"]["arq"]["give_up_s"] > 0


def test_the_channel_is_one_that_the_radio_takes():
    for model in ("awgn", "rayleigh", "multipath"):
        run = load_run(overrides={"channel.model": model, "seed": 5, "radio.sample_rate_hz": 2e6})
        channel = ChannelConfig.from_dict(radio_job(run, "tx")["channel"])
        assert channel.seed == 5
        assert channel.sample_rate_hz == 2e6
        assert channel.symbol_energy == pytest.approx(64 / 52)


def test_acks_over_the_air_have_a_channel_of_their_own():
    run = load_run(
        overrides={"link.feedback": "air", "channel.cfo_hz": 900.0, "channel.sro_ppm": 5.0}
    )
    tx, rx = (radio_job(run, role)["channel"] for role in ("tx", "rx"))
    assert rx["seed"] != tx["seed"]
    assert (rx["cfo_hz"], rx["sro_ppm"]) == (-900.0, -5.0)
    same = set(tx) - {"seed", "cfo_hz", "sro_ppm"}
    assert {key: rx[key] for key in same} == {key: tx[key] for key in same}
    endpoints = [radio_job(run, role)["endpoints"]["return_samples"] for role in ("tx", "rx")]
    assert endpoints == ["tcp://127.0.0.1:5564"] * 2


def test_a_recording_cannot_answer():
    with pytest.raises(ConfigError, match="'air' with a recording, permitted: zmq, none"):
        load_run(overrides={"link.feedback": "air", "radio.spec": "file:a"})


@pytest.mark.parametrize(("feedback", "floor_s"), [("zmq", 0.2), ("air", 0.4)])
def test_the_retransmission_timer_suits_the_feedback(feedback, floor_s):
    job = RadioJob.from_dict(radio_job(load_run(overrides={"link.feedback": feedback}), "tx"))
    assert job.link.arq_config().min_rto_s == floor_s
    overrides = {"link.feedback": feedback, "link.arq.initial_rto_s": 0.7}
    job = RadioJob.from_dict(radio_job(load_run(overrides=overrides), "tx"))
    assert job.link.arq_config().initial_rto_s == 0.7


def test_file_paths_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = radio_job(load_run(overrides={"radio.spec": "file:a"}), "tx")
    assert job["radio"] == f"file:{tmp_path / 'a'}"


def test_choices_are_those_of_the_receiver_and_the_channel():
    def choices(model, name):
        return set(get_args(model.model_fields[name].annotation))

    assert choices(RadioConfig, "estimator") == set(estimators.CHOICES)
    assert choices(RadioConfig, "equalizer") == set(equalizer.METHODS)
    assert choices(config.ChannelConfig, "model") == {*CHANNEL_MODELS, "none"}
    assert choices(config.CodecConfig, "rate") == set(RATES)


def test_every_default_is_one_that_the_radio_takes():
    for role in ("tx", "rx"):
        RadioJob.from_dict(radio_job(load_run(), role))


def test_the_front_table_is_the_radio_sides_own():
    """Every field, its default and its range: a value that one side takes, the other takes."""
    front = radio_job(load_run(), "tx")["front"]
    assert front == asdict(FrontEnd())
    for name, (low, high) in FRONT_RANGES.items():
        bounds = dict.fromkeys((low, high))
        for value in bounds:
            run = load_run(overrides={f"radio.{name}": value})
            assert asdict(RadioJob.from_dict(radio_job(run, "rx")).front)[name] == value


def test_two_radios_of_one_command():
    run = load_run(overrides={"radio.spec": "pluto:ip:a", "radio.rx_spec": "usrp:addr=b"})
    assert radio_job(run, "tx")["radio"] == "pluto:ip:a"
    assert radio_job(run, "rx")["radio"] == "usrp:addr=b"
    assert radio_job(run, "tx")["channel"] is None


def test_profiles_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = radio_job(load_run(overrides={"radio.profile": "mine"}), "tx")
    assert job["front"]["profile"] == str(tmp_path / "mine")
    none = radio_job(load_run(overrides={"radio.profile": "none"}), "tx")
    assert none["front"]["profile"] == "none"
