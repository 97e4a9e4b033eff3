# SPDX-License-Identifier: GPL-3.0-or-later
"""Acknowledgements over the simulated air: both ways at once, lossy, broken off, out of reach."""

import numpy as np
import pytest

from tests.semcom_blocks.radio.processes import CHANNEL, Host, Radio, endpoints

AIR = {"feedback": "air"}
FAST = AIR | {"arq": {"initial_rto_s": 0.3, "min_rto_s": 0.1, "give_up_s": 12.0}}
FADING = {"model": "rayleigh", "snr_db": 3.0, "seed": 5}
DEAF = {"model": "awgn", "snr_db": -20.0}


@pytest.fixture
def pair(tmp_path):
    """``start(role)`` starts a radio of one pair; all are killed at the end."""
    where, started = endpoints(), []

    def start(role, **job):
        job = {"channel": CHANNEL, "link": AIR, **job}
        started.append(Radio(tmp_path, role, endpoints=where, **job))
        return started[-1]

    start.host = lambda: Host(where["source"], where["sink"])
    start.endpoints = where
    yield start
    for radio in started:
        with radio:
            pass


def test_a_job_is_acknowledged_by_frames_on_the_way_back(pair):
    radios = pair("rx"), pair("tx")
    with pair.host() as host:
        host.ready()
        for job_id in (1, 2, 3):
            prompt = np.random.default_rng(job_id).bytes(500).hex()
            result = host.carry(job_id, prompt)
            done, received = result.done.meta, result.received[0].meta
            assert (done["delivered"], done["error"]) == (True, None)
            assert done["packets_sent"] - done["retransmissions"] > 1
            assert 0 < done["round_trip_s"] < 20
            assert received["prompt"] == prompt
            assert received["packets_bad"] == 0
        assert host.received == [1, 2, 3]
    assert [radio.stop() for radio in radios] == [0, 0]
    assert [radio.said for radio in radios] == ["", ""]


def test_lost_acknowledgements_cost_time_and_nothing_else(pair):
    """At a mean of 3 dB every third frame fades away."""
    pair("rx", channel=FADING)
    pair("tx", link=FAST)
    with pair.host() as host:
        host.ready()
        done = [host.carry(job_id, f"prompt {job_id}", 1000).done.meta for job_id in range(1, 13)]
        assert [report["delivered"] for report in done] == [True] * 12
        assert sum(report["retransmissions"] for report in done) > 0
        assert host.received == list(range(1, 13))


def test_out_of_reach_the_sender_gives_up_while_the_receiver_has_the_prompt_once(pair):
    pair("rx", channel=DEAF, link=AIR | {"idle_timeout_s": 0.5})
    pair("tx", link=AIR | {"arq": {"initial_rto_s": 0.4, "give_up_s": 1.5}})
    with pair.host() as host:
        host.ready()
        result = host.carry(1, "nobody answers")
        assert result.done.meta["delivered"] is False
        assert result.done.meta["round_trip_s"] is None
        assert "not acknowledged after 1.5 s" in result.done.meta["error"]
        assert [m.meta["prompt"] for m in result.received] == ["nobody answers"]
        assert result.received[0].meta["packets_duplicate"] > 0


@pytest.mark.parametrize("role", ["tx", "rx"])
def test_either_end_may_be_killed_and_come_back(pair, role):
    radios = {name: pair(name, link=FAST | {"idle_timeout_s": 0.5}) for name in ("rx", "tx")}
    with pair.host() as host:
        host.ready()
        host.carry(1)
        radios[role].kill()
        pair(role, link=FAST | {"idle_timeout_s": 0.5})
    with pair.host() as host:
        host.ready()
        result = host.carry(2, "after the break")
    assert result.done.meta["delivered"] is True
    assert result.received[0].meta["prompt"] == "after the break"


def test_without_a_sender_acknowledgements_do_not_pile_up(pair):
    """A receiver whose way back nobody takes goes on receiving, and stops when told to."""
    rx = pair("rx", link=AIR | {"idle_timeout_s": 0.5})
    pair("tx", link={"feedback": "none", "repeats": 20})
    with pair.host() as host:
        host.ready()
        for job_id in range(1, 9):
            result = host.carry(job_id, "no ear for answers", 1000)
            assert result.received[0].meta["prompt"] == "no ear for answers"
    assert rx.stop() == 0


def test_a_recording_cannot_answer(tmp_path):
    with Radio(tmp_path, "rx", radio="file:a", link=AIR, endpoints=endpoints()) as radio:
        assert radio.wait() == 2
        assert radio.said == (
            "semcom: error: feedback is 'air' with a recording, permitted: zmq, none\n"
        )
