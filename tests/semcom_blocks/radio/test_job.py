# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio job: what is not understood is one line that names it, and exit status 2."""

import gc
import json
import signal
import sys

import pytest

from semcom_blocks.errors import ConfigError
from semcom_blocks.radio import __main__ as program
from semcom_blocks.radio.job import RadioJob
from tests.semcom_blocks.radio.processes import endpoints

GOOD = {
    "role": "tx",
    "radio": "sim",
    "sample_rate_hz": 2e6,
    "numerology": {"fft_size": 128, "cp_len": 32, "n_used": 100},
    "channel": {"model": "rayleigh", "snr_db": 15},
    "link": {"feedback": "none", "repeats": 2, "arq": {"give_up_s": 5}, "session": 3},
    "level": {"power": 0.5, "papr_limit_db": 8},
    "endpoints": {"source": "tcp://127.0.0.1:6000"},
    "estimator": "ls",
    "equalizer": "zf",
    "allow_remote": True,
}

BAD = {
    "no role": ({"role": None}, "role is None, permitted: tx, rx"),
    "role": ({"role": "trx"}, "role is 'trx'"),
    "role list": ({"role": ["tx"]}, "role is"),
    "unknown key": ({"gain_db": 3}, "unknown key 'gain_db'"),
    "radio number": ({"radio": 5}, "radio is 5, permitted: str"),
    "rate text": ({"sample_rate_hz": "fast"}, "sample_rate_hz is 'fast'"),
    "rate zero": ({"sample_rate_hz": 0}, "sample_rate_hz is 0"),
    "rate nan": ({"sample_rate_hz": float("nan")}, "sample_rate_hz is nan"),
    "numerology list": ({"numerology": [64]}, "numerology is [64], permitted: a table"),
    "numerology null": ({"numerology": None}, "numerology is None"),
    "numerology key": ({"numerology": {"fft": 64}}, "unknown key 'fft'"),
    "fft size": ({"numerology": {"fft_size": 63}}, "fft_size is 63"),
    "fft text": ({"numerology": {"fft_size": "64"}}, "fft_size is '64', permitted: int"),
    "fft float": ({"numerology": {"fft_size": 64.0}}, "fft_size is 64.0"),
    "fft bool": ({"numerology": {"n_comb": True}}, "n_comb is True"),
    "channel text": ({"channel": "awgn"}, "channel is 'awgn'"),
    "channel key": ({"channel": {"snr": 3}}, "'snr'"),
    "channel nan": ({"channel": {"snr_db": float("nan")}}, "snr_db is nan"),
    "link key": ({"link": {"ack": 1}}, "link has unknown key 'ack'"),
    "feedback": ({"link": {"feedback": "post"}}, "feedback is 'post', permitted: zmq, air, none"),
    "repeats": ({"link": {"repeats": 0}}, "repeats is 0"),
    "repeats text": ({"link": {"repeats": "3"}}, "link.repeats is '3', permitted: int"),
    "arq list": ({"link": {"arq": []}}, "arq is [], permitted: Mapping"),
    "arq key": ({"link": {"arq": {"windows": 3}}}, "arq has unknown key 'windows'"),
    "arq twice": ({"link": {"arq": {"repeats": 3}}}, "arq has unknown key 'repeats'"),
    "arq window": ({"link": {"arq": {"window": 0}}}, "window is 0"),
    "give up text": ({"link": {"arq": {"give_up_s": "5"}}}, "give_up_s is '5'"),
    "give up nan": ({"link": {"arq": {"give_up_s": float("nan")}}}, "give_up_s is nan"),
    "frame size": ({"link": {"analog_per_frame": 0}}, "analog_per_frame is 0"),
    "frame huge": ({"link": {"analog_per_frame": 10**9}}, "analog_per_frame is 1000000000"),
    "interleaver": (
        {"link": {"interleaver": "helical"}},
        "interleaver is 'helical', permitted: golden, none, random",
    ),
    "precoding": (
        {"link": {"precoding": 1}},
        "link.precoding is 1, permitted: str",
    ),
    "precoding name": (
        {"link": {"precoding": "ofdm"}},
        "precoding is 'ofdm', permitted: none, frame, dft",
    ),
    "idle text": ({"link": {"idle_timeout_s": "3"}}, "idle_timeout_s is '3'"),
    "idle nan": ({"link": {"idle_timeout_s": float("nan")}}, "idle_timeout_s is nan"),
    "session": ({"link": {"session": 2**32}}, "session is 4294967296"),
    "session float": ({"link": {"session": 1.5}}, "session is 1.5, permitted: int or null"),
    "power": ({"level": {"power": -1}}, "power is -1"),
    "papr": ({"level": {"papr_limit_db": 1}}, "papr_limit_db is 1"),
    "papr text": ({"level": {"papr_limit_db": "8"}}, "papr_limit_db is '8'"),
    "level list": ({"level": [1]}, "level is [1]"),
    "endpoint key": ({"endpoints": {"guest": "x"}}, "endpoints has unknown key 'guest'"),
    "endpoint number": ({"endpoints": {"source": 6000}}, "endpoints.source is 6000"),
    "estimator": ({"estimator": "magic"}, "estimator is 'magic'"),
    "deadline": ({"estimator_deadline_s": 0}, "estimator_deadline_s is 0"),
    "equalizer": ({"equalizer": ["zf"]}, "equalizer is ['zf']"),
    "front key": ({"front": {"gain": 1}}, "front has unknown key 'gain'"),
    "front list": ({"front": []}, "front is [], permitted: a table"),
    "gain text": ({"front": {"tx_gain_db": "max"}}, "front.tx_gain_db is 'max'"),
    "gain": ({"front": {"tx_gain_db": 200}}, "tx_gain_db is 200, permitted: -90.0 to 100.0"),
    "carrier": ({"front": {"center_freq_hz": 5}}, "center_freq_hz is 5"),
    "carrier nan": ({"front": {"center_freq_hz": float("nan")}}, "center_freq_hz is nan"),
    "buffer": ({"front": {"buffer_samples": 1.5}}, "front.buffer_samples is 1.5"),
    "cyclic": ({"front": {"cyclic": 1}}, "front.cyclic is 1, permitted: bool"),
    "remote": ({"allow_remote": "no"}, "allow_remote is 'no', permitted: bool"),
}

FILES = {
    "missing": None,
    "empty": b"",
    "no JSON": b"{",
    "list": b"[]",
    "number": b"5",
    "null": b"null",
    "no text": b"\xff\xfe",
    "deep": b'{"a":' * 100_000,
    "deep list": b"[" * 100_000,
}


def test_a_whole_job_is_understood():
    job = RadioJob.from_dict(GOOD)
    assert (job.role, job.radio, job.allow_remote) == ("tx", "sim", True)
    assert (job.numerology.fft_size, job.numerology.sample_rate_hz) == (128, 2e6)
    assert (job.channel.model, job.channel.snr_db) == ("rayleigh", 15)
    arq = job.link.arq_config()
    assert (arq.feedback, arq.repeats, arq.give_up_s, job.link.session) == (False, 2, 5, 3)
    assert (job.level.power, job.level.papr_limit_db) == (0.5, 8)
    assert (job.estimator, job.equalizer) == ("ls", "zf")


def test_a_role_is_all_that_must_be_said():
    job = RadioJob.from_dict({"role": "rx"})
    assert (job.radio, job.channel, job.link.feedback) == ("sim", None, "zmq")


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_named(name):
    changes, text = BAD[name]
    with pytest.raises(ConfigError) as caught:
        RadioJob.from_dict(GOOD | changes)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """``run(role, content)`` gives (exit status, stderr) of the program in this process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def start(role, content):
        config = tmp_path / "job.json"
        if content is not None:
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            config.write_bytes(raw)
        monkeypatch.setattr(sys, "argv", ["radio", role, "--config", str(config)])
        status = program.main()
        gc.collect()
        return status, capsys.readouterr().err

    yield start
    for number, handler in handlers.items():
        signal.signal(number, handler)


#: A process that refuses its job closes its sockets by ending; this one goes on.
left_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def assert_one_line(status, err):
    assert status == 2
    assert err.startswith("semcom: error: ")
    assert err.endswith("\n") and err.count("\n") == 1


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_job(run, name):
    status, err = run("tx", FILES[name])
    assert_one_line(status, err)
    assert "job.json" in err


def test_the_other_role(run):
    status, err = run("rx", {"role": "tx"})
    assert_one_line(status, err)
    assert "role is 'rx'" in err


@left_open
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"radio": "hackrf"}, "radio is 'hackrf', permitted: sim, file:PATH, pluto:URI, usrp:ARGS"),
        ({"radio": "pluto"}, "radio is 'pluto:', permitted: pluto:URI"),
        ({"radio": "usrp:"}, "radio is 'usrp:', permitted: usrp:ARGS"),
        (
            {"radio": "pluto:ip:127.64.0.9"},
            "pluto:ip:127.64.0.9 cannot be opened: Connection refused",
        ),
        ({"radio": "pluto:nonsense"}, "pluto:nonsense cannot be opened: "),
        ({"radio": ""}, "radio is ''"),
        ({"radio": "sim:1"}, "radio is 'sim:1', permitted: sim"),
        ({"radio": "file:"}, "radio is 'file:', permitted: file:PATH"),
        ({"radio": "file:/nowhere/at/all"}, "/nowhere/at/all"),
        ({"endpoints": {"source": "127.0.0.1"}}, "endpoint is '127.0.0.1'"),
        ({"endpoints": {"source": "tcp://*:5999"}}, "not loopback"),
        ({"link": {"session": None}, "endpoints": {"samples": "udp://127.0.0.1:1"}}, "udp"),
        (
            {
                "numerology": {"fft_size": 1024, "cp_len": 512, "n_used": 16, "n_comb": 8},
                "link": {"analog_per_frame": 8192},
            },
            "analog_per_frame is 8192: frame is",
        ),
    ],
)
def test_what_only_the_flowgraph_can_refuse(run, changes, text):
    status, err = run("tx", {"role": "tx", "endpoints": endpoints(), **changes})
    assert_one_line(status, err)
    assert text in err


@left_open
@pytest.mark.parametrize(
    ("meta", "data", "text"),
    [
        (None, None, "is not SigMF metadata"),
        ({"core:datatype": "cf32_le", "core:sample_rate": 1e6}, None, "cannot be read"),
        ({"core:datatype": "cf32_le", "core:sample_rate": 1e6}, bytes(12), "12 bytes"),
        ({"core:datatype": "cf32_le", "core:sample_rate": 1e6}, b"", "0 bytes"),
        ({"core:datatype": "cf64_le", "core:sample_rate": 1e6}, bytes(16), "'cf64_le'"),
        ({"core:datatype": "cf32_le", "core:sample_rate": 2e6}, bytes(16), "sample rate 2000000.0"),
        ({"core:datatype": "cf32_le"}, bytes(16), "sample rate None"),
    ],
)
def test_recordings_that_cannot_be_received(run, tmp_path, meta, data, text):
    if meta is not None:
        (tmp_path / "r.sigmf-meta").write_text(json.dumps({"global": meta}))
    if data is not None:
        (tmp_path / "r.sigmf-data").write_bytes(data)
    job = {"role": "rx", "radio": f"file:{tmp_path}/r", "endpoints": endpoints()}
    status, err = run("rx", job)
    assert_one_line(status, err)
    assert text in err
