# SPDX-License-Identifier: GPL-3.0-or-later
"""Two radio processes that run on through good jobs, bad jobs and garbage."""

import time
from collections import Counter

import numpy as np
import pytest
import zmq

from semcom_blocks import wire
from semcom_blocks.phy.interleave import INTERLEAVERS
from semcom_blocks.wire import Message
from tests.semcom_blocks.radio.processes import (
    CHANNEL,
    PATIENCE_S,
    Host,
    Radio,
    Result,
    endpoints,
    gaussian,
    request,
)

GOOD = wire.encode(Message("ping", {"id": "x"}))
DEEP = b"\x91" * 100_000
GARBAGE = {
    "empty": [b""],
    "one byte": [b"x"],
    "header alone": GOOD[:1],
    "one part more": [*GOOD, b"more"],
    "wrong magic": [b"NOPE" + GOOD[0][4:], *GOOD[1:]],
    "next version": [GOOD[0][:4] + b"\x02\x00" + GOOD[0][6:], *GOOD[1:]],
    "version 0": [GOOD[0][:4] + b"\x00\x00" + GOOD[0][6:], *GOOD[1:]],
    "huge length": [GOOD[0][:8] + b"\xff" * 4, *GOOD[1:]],
    "many arrays": [GOOD[0][:6] + b"\xff\xff" + GOOD[0][8:], *GOOD[1:]],
    "nesting": [wire._HEADER.pack(wire.MAGIC, 1, 0, len(DEEP)), DEEP],
    "noise": [np.random.default_rng(1).bytes(1000)] * 3,
    "empty parts": [b""] * 40,
}
PROMPT_BAND = {"stream_id": None, "carriers": 16, "power": 0.4, "bits_per_symbol": 2}
FOREIGN = {
    "source": [
        Message("dance"),
        Message("ack", {}, {"data": np.zeros(3, "u1")}),
    ],
    "samples": [
        Message("samples", {"seq": 0}, {"samples": np.ones(10, "c16")}),
        Message("samples", {"seq": 0}, {"samples": np.ones((2, 5), "c8")}),
        Message("samples", {"seq": "one"}, {"samples": np.ones(10, "c8")}),
        Message("samples", {"seq": 0}, {"other": np.ones(10, "c8")}),
        Message("transmit", {"job_id": 1}),
    ],
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Both radios and their host, for all tests of this file: has tx, rx, host, endpoints."""
    folder, where = tmp_path_factory.mktemp("radios"), endpoints()
    with (
        Radio(folder, "rx", endpoints=where) as rx,
        Radio(folder, "tx", endpoints=where, channel=CHANNEL) as tx,
        Host(where["source"], where["sink"]) as host,
    ):
        host.tx, host.rx, host.endpoints = tx, rx, where
        host.ready()
        yield host
        assert [tx.process.poll(), rx.process.poll()] == [None, None]
        assert "Traceback" not in tx.said + rx.said


@pytest.fixture
def next_job(pair):
    """Carries a good job with a number of its own and checks all of it."""

    def carry(prompt="a cat", n=20_000):
        pair.job_id = getattr(pair, "job_id", 1000) + 1
        result = pair.carry(pair.job_id, prompt, n)
        meta = result.received[0].meta
        assert meta["prompt"] == prompt
        assert meta["delivered"] is True
        assert meta["streams"][0]["received"] == meta["streams"][0]["expected"] == n
        assert result.done.meta["delivered"] is True
        assert result.error_db() == pytest.approx(10, abs=0.5)
        return result

    return carry


def counters(pair):
    """Of the Semantic Source."""
    assert pair.source.send(Message("ping", {"id": "count"}), PATIENCE_S)
    while (answer := pair.source.receive(PATIENCE_S)).meta.get("id") != "count":
        assert answer.kind != "tx_done"
    return answer.meta["counters"]


def test_a_job_tells_all_that_was_measured(next_job):
    result = next_job("naïve 猫 🚀" * 30, 40_000)
    received = result.received[0]
    frames = [m.meta for m in result.frames if not m.meta["end"]]
    assert received.meta["frames_received"] == received.meta["frames_expected"] == len(frames)
    assert [meta["seq"] for meta in frames] == sorted(meta["seq"] for meta in frames)
    for meta in frames:
        assert meta["header_ok"] is True
        assert meta["snr_db"] == pytest.approx(10, abs=1.5)
        assert meta["evm_db"] == pytest.approx(-10, abs=1.5)
        assert abs(meta["cfo_hz"]) < 200 and abs(meta["sro_ppm"]) < 50
        assert meta["power_dbfs"] == pytest.approx(0.5, abs=0.5)
    starts = [meta["timing_sample"] for meta in frames]
    assert starts == sorted(starts)
    assert all(m.arrays["channel"].shape == (52,) for m in result.frames)
    lengths = {name: len(array) for name, array in received.arrays.items()}
    assert lengths["psd_db"] == lengths["psd_freq_hz"] == 256
    assert (lengths["channel"], lengths["constellation"]) == (52, 4096)
    reported = received.arrays["noise_var_1"]
    assert -10 * np.log10(np.mean(reported)) == pytest.approx(result.error_db(), abs=0.3)
    report = result.done.meta
    assert report["power"] == pytest.approx(1.0, abs=0.05)
    assert 6 < report["papr_db"] < 12
    assert report["frames_sent"] == report["frames_total"] == len(frames)
    assert report["samples_sent"] > 40_000


@pytest.mark.parametrize(("interleaver", "precoding"), [("random", "dft"), ("none", "none")])
def test_what_the_sender_is_told_reaches_the_receiver_by_the_air(tmp_path, interleaver, precoding):
    """Its job says nothing of either; mixed symbols of a frame share one error variance."""
    where, channel = endpoints(), {"model": "multipath", "delay_spread_s": 1e-6, "snr_db": 25.0}
    link = {"interleaver": interleaver, "precoding": precoding}
    with (
        Radio(tmp_path, "rx", endpoints=where),
        Radio(tmp_path, "tx", endpoints=where, channel=channel, link=link),
        Host(where["source"], where["sink"]) as host,
    ):
        host.ready()
        result = host.carry(5, "a cat", 12_000)
    received = result.received[0]
    told_db = -10 * np.log10(np.mean(received.arrays["noise_var_1"]))
    assert result.error_db() == pytest.approx(told_db, abs=1)
    assert told_db > 10
    frames = received.meta["frames_received"]
    variances = len(np.unique(received.arrays["noise_var_1"]))
    assert variances == (48 * frames if precoding == "none" else frames)
    number = INTERLEAVERS.index(interleaver)
    assert received.meta["streams"][0]["descriptor"] == {"c": "test", "i": number, "n": 12_000}


def test_a_job_in_bands_tells_the_snr_of_each_on_both_sides(pair):
    """Band b has power · 48 / carriers of what a symbol would have without bands."""
    bands = [
        PROMPT_BAND,
        {"stream_id": 1, "carriers": 24, "power": 0.25, "bits_per_symbol": 0},
        {"stream_id": 7, "carriers": 8, "power": 0.25, "bits_per_symbol": 0},
    ]
    good = request(3000, "a dog", gaussian(30_000, 1), bands=bands)
    good.meta["streams"].append({"stream_id": 7, "descriptor": {"c": "other"}})
    good.arrays["stream_7"] = gaussian(5000, 7)
    result = Result(3000, good.arrays["stream_1"])
    assert pair.source.send(good, PATIENCE_S)
    pair.collect(result, lambda r: r.done is not None and r.received)
    received = result.received[0]
    assert received.meta["prompt"] == "a dog"
    assert received.meta["frames_received"] == received.meta["frames_expected"] >= 4
    assert [entry["received"] for entry in received.meta["streams"]] == [30_000, 5000]
    for band in bands[1:]:
        n, expected_db = band["stream_id"], 10 + 10 * np.log10(0.25 * 48 / band["carriers"])
        error = np.mean(np.abs(received.arrays[f"stream_{n}"] - good.arrays[f"stream_{n}"]) ** 2)
        assert -10 * np.log10(error) == pytest.approx(expected_db, abs=0.5)
        told = np.mean(received.arrays[f"noise_var_{n}"])
        assert -10 * np.log10(told) == pytest.approx(expected_db, abs=0.5)
    for frame in result.frames:
        if frame.meta["end"]:
            assert "band_snr_db" not in frame.meta
        else:
            assert frame.meta["band_snr_db"] == pytest.approx([10, 10, 10], abs=2)
    report = result.done.meta
    assert report["band_snr_db"] == pytest.approx([10, 10, 10], abs=2)
    assert report["frames_sent"] == report["frames_total"] == received.meta["frames_received"]
    assert result.told[1].meta["band_snr_db"] == []
    assert report["power"] == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("socket", ["source", "samples"])
def test_garbage_is_counted_and_the_next_job_works(pair, next_job, socket):
    before = counters(pair)["refused"]
    kind = zmq.DEALER if socket == "source" else zmq.PUSH
    with zmq.Context() as context, context.socket(kind) as intruder:
        intruder.setsockopt(zmq.LINGER, 5000)
        intruder.connect(pair.endpoints[socket])
        for frames in GARBAGE.values():
            intruder.send_multipart(frames)
        for message in FOREIGN[socket]:
            intruder.send_multipart(wire.encode(message))
        next_job()
    count = len(GARBAGE) + len(FOREIGN[socket])
    if socket == "source":
        assert counters(pair)["refused"] == before + count
    else:
        assert "refused samples number 4: " in pair.rx.said
        assert "refused message number 8: " in pair.rx.said


def test_a_part_beyond_the_limit_costs_its_sender_the_connection(pair, next_job):
    with zmq.Context() as context, context.socket(zmq.DEALER) as intruder:
        intruder.setsockopt(zmq.LINGER, 0)
        intruder.connect(pair.endpoints["source"])
        intruder.send(bytes(wire.MAX_ARRAY_BYTES + (1 << 17)))
        next_job()


@pytest.mark.parametrize(
    ("changes", "arrays", "text"),
    [
        ({"job_id": -1}, {}, "job_id is -1"),
        ({"job_id": "1"}, {}, "job_id is '1'"),
        ({"job_id": None}, {}, "job_id is None"),
        ({"prompt": 5}, {}, "prompt is int"),
        ({"prompt": "x" * 65_537}, {}, "prompt has 65537 bytes"),
        ({"streams": "x"}, {}, "streams are not a list"),
        ({"streams": [5]}, {}, "stream is int"),
        ({"streams": [{"stream_id": 1}]}, {}, "descriptor 1 is NoneType"),
        ({"streams": [{"stream_id": 2, "descriptor": {}}]}, {}, "stream_2 is missing"),
        ({"streams": [{"stream_id": 1, "descriptor": {"n": 5}}]}, {}, "n of descriptor 1 is 5"),
        ({"streams": [{"stream_id": 1, "descriptor": {"x": [1]}}]}, {}, "permitted: a scalar"),
        ({"streams": [{"stream_id": 1, "descriptor": {"x": "y" * 600}}]}, {}, "has 6"),
        ({"bands": []}, {}, "0 bands"),
        ({"bands": [{"stream_id": None}]}, {}, "band 0 is no table"),
        ({"bands": [PROMPT_BAND]}, {}, "stream 1 has no band"),
        ({"bands": [PROMPT_BAND | {"power": float("nan")}]}, {}, "prompt's band is nan"),
        ({}, {"stream_1": np.full(10, np.nan, "c8")}, "value of nan"),
        ({}, {"stream_1": np.full(10, np.inf, "c8")}, "value of inf"),
        ({}, {"stream_1": np.ones(10, "c16")}, "stream_1 is complex128"),
        ({}, {"stream_1": np.ones(10, "f4")}, "stream_1 is float32"),
        ({}, {"stream_1": np.ones((2, 5), "c8")}, "(2, 5)"),
        ({}, {"stream_1": np.ones(0, "c8")}, "n > 0"),
    ],
)
def test_a_bad_job_is_answered(pair, changes, arrays, text):
    good = request(5, "a cat", gaussian(10))
    answer = pair.ask(
        Message("transmit", good.meta | changes | {"id": "bad"}, good.arrays | arrays)
    )
    assert answer.kind == "error"
    assert answer.meta["id"] == "bad"
    assert text in answer.meta["text"]
    assert answer.meta["name"] in ("ConfigError", "SourceError")
    assert "\n" not in answer.meta["text"]


def test_a_good_job_after_all_the_bad_ones(next_job):
    next_job()


def test_waiting_costs_little(pair):
    time.sleep(0.3)
    before = [radio.cpu_s() for radio in (pair.tx, pair.rx)]
    began = time.monotonic()
    time.sleep(1.0)
    elapsed_s = time.monotonic() - began
    after = [radio.cpu_s() for radio in (pair.tx, pair.rx)]
    shares = [(b - a) / elapsed_s for a, b in zip(before, after, strict=True)]
    # 3 % and 1 % of a core; a block that spins takes all of one.
    assert max(shares) < 0.15, shares


def test_thirty_jobs_on_end_come_once_each_and_leave_no_memory_behind(pair, next_job):
    radios = (pair.tx, pair.rx)
    for number in range(10):
        next_job(f"warm-up {number}", 40_000)
    before = [radio.resident_kib() for radio in radios]
    done = [next_job(f"prompt {number}", 40_000).job_id for number in range(30)]
    after = [radio.resident_kib() for radio in radios]
    growth = [b / a - 1 for a, b in zip(before, after, strict=True)]
    assert max(growth) < 0.05, growth
    time.sleep(0.7)  # longer than an end without a message is waited for
    next_job()
    came = Counter(pair.received)
    assert [came[job_id] for job_id in done] == [1] * 30


def test_jobs_handed_in_at_once_all_come_out(pair):
    """Their frames and packets mix on the way."""
    first = 5000
    begun = [pair.begin(first + k, f"prompt {k}", 10_000) for k in range(8)]
    by_job = {result.job_id: result for result in begun}
    end_s = time.monotonic() + PATIENCE_S
    while not all(result.done and result.received for result in begun):
        assert time.monotonic() < end_s, "some jobs did not come out"
        for socket, keep in ((pair.source, "told"), (pair.sink, "received")):
            message = socket.receive(0.005)
            result = message and by_job.get(message.meta.get("job_id"))
            if result and message.kind in ("tx_done", "received"):
                getattr(result, keep).append(message)
    for k, result in enumerate(begun):
        (received,) = result.received
        assert received.meta["prompt"] == f"prompt {k}"
        assert received.meta["frames_received"] == received.meta["frames_expected"]
        assert result.error_db() == pytest.approx(10, abs=0.5)
        assert result.done.meta["delivered"] is True
