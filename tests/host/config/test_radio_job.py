# SPDX-License-Identifier: GPL-3.0-or-later
"""What the radio processes are told."""

import json

from host.config import load_run, radio_job


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
    assert json.loads(text)["link"]["arq"]["tries"] >= 1
