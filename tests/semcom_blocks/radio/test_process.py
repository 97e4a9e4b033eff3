# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio processes come, go and are killed; what survives of a job and what comes after it."""

import signal
import time

import pytest
import zmq

from tests.semcom_blocks.radio.processes import CHANNEL, Host, Radio, endpoints

GIVE_UP = {"arq": {"give_up_s": 3.0, "initial_rto_s": 0.3}}


@pytest.fixture
def pair(tmp_path):
    """``start(role)`` starts a radio of one pair; all are killed at the end."""
    where, started = endpoints(), []

    def start(role, **job):
        if role == "tx":
            job = {"channel": CHANNEL, **job}
        started.append(Radio(tmp_path, role, endpoints=where, **job))
        return started[-1]

    start.endpoints = where
    start.host = lambda: Host(where["source"], where["sink"])
    yield start
    for radio in started:
        with radio:
            pass


@pytest.mark.parametrize(
    ("job", "text"),
    [
        ({"radio": "usrp"}, "radio is 'usrp:', permitted: usrp:ARGS"),
        ({"gain_db": 3}, "unknown key 'gain_db'"),
    ],
)
def test_an_error_is_one_line_and_status_two(tmp_path, job, text):
    with Radio(tmp_path, "rx", endpoints=endpoints(), **job) as radio:
        assert radio.wait() == 2
        assert radio.said.startswith("semcom: error: ")
        assert text in radio.said
        assert radio.said.count("\n") == 1


@pytest.mark.parametrize(("role", "name"), [("tx", "source"), ("rx", "samples")])
def test_a_port_in_use_is_one_line_and_status_two(tmp_path, role, name):
    where = endpoints()
    with zmq.Context() as context, context.socket(zmq.PULL) as taken:
        taken.bind(where[name])
        with Radio(tmp_path, role, endpoints=where) as radio:
            assert radio.wait() == 2
            assert f"{where[name]} is in use" in radio.said
            assert radio.said.count("\n") == 1


@pytest.mark.parametrize("after_s", [0.05, 0.15])
def test_a_process_told_to_stop_while_it_starts_ends_well(pair, after_s):
    radio = pair("rx")
    deadline = time.monotonic() + 10.0
    while radio.cpu_s() < after_s and time.monotonic() < deadline:
        time.sleep(0.005)
    # Python needs a moment before it can handle a signal.
    assert radio.stop(10.0) in (0, -signal.SIGTERM)
    assert radio.said == ""


def test_both_stop_at_once_idle_or_amid_a_job(pair):
    rx, tx = pair("rx"), pair("tx")
    with pair.host() as host:
        host.ready()
        host.collect(host.begin(1, n=2_000_000), lambda r: r.frames)
        for radio in (tx, rx):
            began = time.monotonic()
            assert radio.stop() == 0
            assert time.monotonic() - began < 2.0
    rx, tx = pair("rx"), pair("tx")
    with pair.host() as host:
        host.ready()
        assert [radio.stop() for radio in (rx, tx)] == [0, 0]


def test_a_sender_without_a_receiver_stops_as_well(pair):
    """Its samples wait for somebody to take them."""
    tx = pair("tx")
    with Host(source=pair.endpoints["source"]) as host:
        host.ready()
        host.collect(host.begin(1, n=100_000), lambda r: len(r.told) > 2)
        assert tx.stop() == 0


def test_a_receiver_killed_amid_a_job_comes_back(pair):
    rx, _ = pair("rx"), pair("tx", link=GIVE_UP)
    with pair.host() as host:
        host.ready()
        interrupted = host.begin(1, n=1_000_000)
        host.collect(interrupted, lambda r: len(r.frames) > 3)
        rx.kill()
        pair("rx", link={"idle_timeout_s": 0.5})
        host.collect(interrupted, lambda r: r.done is not None)
        # Its message was acknowledged before or after; some symbols are lost in any case.
        assert interrupted.done.meta["delivered"] is True
        result = host.carry(2, "next")
    assert result.received[0].meta["prompt"] == "next"
    assert result.error_db() == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("job_id", [1, 2])
def test_a_sender_killed_amid_a_job_comes_back(pair, job_id):
    """With a job of another number or, as far as it can know, of the same."""
    pair("rx", link={"idle_timeout_s": 1.0})
    tx = pair("tx")
    with pair.host() as host:
        host.ready()
        interrupted = host.begin(1, "broken off", n=1_000_000)
        host.collect(interrupted, lambda r: len(r.frames) > 3)
        tx.kill()
        host.collect(interrupted, lambda r: r.received)
        meta = interrupted.received[0].meta
        assert meta["prompt"] in ("broken off", None)
        assert 0 < meta["streams"][0]["received"] < 1_000_000
    pair("tx")
    with pair.host() as host:
        host.ready()
        result = host.carry(job_id, "next")
    assert result.received[0].meta["prompt"] == "next"
    assert result.error_db() == pytest.approx(10, abs=0.5)


def test_a_prompt_that_never_arrives_is_told_as_such(pair):
    """12 dB under the noise no frame is found."""
    link = {"arq": {"give_up_s": 1.0, "initial_rto_s": 0.2}}
    pair("rx")
    pair("tx", link=link, channel={"model": "awgn", "snr_db": -12.0})
    with pair.host() as host:
        host.ready()
        result = host.collect(host.begin(1), lambda r: r.done is not None)
    report = result.done.meta
    assert report["delivered"] is False
    assert "not acknowledged after 1 s" in report["error"]
    assert report["retransmissions"] > 0
    assert [m.meta["prompt"] for m in result.received if m.meta["prompt"] is not None] == []


def test_without_feedback_every_packet_is_repeated(pair):
    link = {"feedback": "none", "repeats": 4}
    pair("rx", link=link)
    pair("tx", link=link)
    with pair.host() as host:
        host.ready()
        result = host.carry(1, "no way back")
    report, received = result.done.meta, result.received[0].meta
    assert (report["delivered"], report["error"]) == (None, None)
    assert (report["packets_sent"], report["retransmissions"]) == (4, 3)
    assert (received["prompt"], received["packets_duplicate"]) == ("no way back", 3)
    assert received["frames_received"] == received["frames_expected"] == report["frames_sent"]
