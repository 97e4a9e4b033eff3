# SPDX-License-Identifier: GPL-3.0-or-later
"""What tx does into a file differs from what it does over the simulated air."""

import argparse

from host.cli import tx
from host.cli.parser import OneLineParser


def resolve(*argv):
    parser = OneLineParser()
    tx.add_arguments(parser)
    args = parser.parse_args(argv)
    assert isinstance(args, argparse.Namespace)
    return tx.resolve(args)


def test_sim_has_a_channel_and_feedback():
    run = resolve("--radio", "sim")
    assert run.channel.model == "awgn"
    assert run.link.feedback == "zmq"


def test_a_file_takes_the_samples_as_sent():
    run = resolve("--radio", "file:a")
    assert run.channel.model == "none"
    assert run.link.feedback == "none"


def test_a_device_has_no_channel_of_software_and_is_answered():
    run = resolve("--radio", "pluto:ip:10.0.0.2")
    assert run.channel.model == "none"
    assert run.link.feedback == "zmq"
    assert resolve("--radio", "usrp:type=b200", "--feedback", "air").link.feedback == "air"


def test_it_records_what_its_own_radio_is_given():
    run = resolve("--record", "a", "--record-max-mb", "5")
    assert run.recording.model_dump() == {"path": "a", "side": "tx", "max_mb": 5.0}
    assert resolve("--record").recording.path.startswith("out/recordings/")
    assert resolve().recording.path is None


def test_unless_asked(tmp_path):
    run = resolve("--radio", "file:a", "--channel", "rayleigh", "--snr-db", "7")
    assert (run.channel.model, run.channel.snr_db) == ("rayleigh", 7.0)
    config = tmp_path / "a.toml"
    config.write_text("[radio]\nspec = 'file:a'\n[link]\nfeedback = 'zmq'\n")
    run = resolve("--config", str(config))
    assert run.link.feedback == "zmq"
    assert run.channel.model == "none"
