# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed messages at every socket, before and amid a good job that must get through.

Two radios run on their own, as in GNU Radio Companion; ``demo --attach`` uses them.
Sockets that only send (the sink, the feedback) are reached as an intruder on the
wire would: by a relay that mixes garbage into what passes.
"""

import threading

import numpy as np
import pytest
import zmq

from host.config import load_run
from host.pipeline.processes import start_radio
from host.supervise import Supervisor, free_ports
from semcom_blocks import wire
from semcom_blocks.wire import Message
from tests.system.conftest import report_of, until

GOOD = wire.encode(Message("ping", {"id": "x"}))
SAMPLES = np.ones(10, np.complex64)
GARBAGE = [
    [b""],
    [b"x"],
    GOOD[:1],
    [*GOOD, b"more"],
    [b"NOPE" + GOOD[0][4:], *GOOD[1:]],
    [GOOD[0][:4] + b"\x02\x00" + GOOD[0][6:], *GOOD[1:]],
    [GOOD[0][:4] + b"\x00\x00" + GOOD[0][6:], *GOOD[1:]],
    [GOOD[0][:8] + b"\xff" * 4, *GOOD[1:]],
    [GOOD[0], b"\x91" * 100_000],
    [np.random.default_rng(1).bytes(1000)] * 3,
    [bytes(64 << 20)],
    # Well formed, and still not what the socket is for.
    wire.encode(Message("dance")),
    wire.encode(Message("samples", {"seq": "one"}, {"samples": SAMPLES.astype("c16")})),
    wire.encode(Message("samples", {}, {"samples": np.full(10, np.nan, "c8")})),
    wire.encode(Message("transmit", {"job_id": -1, "prompt": 5, "streams": "x"})),
    wire.encode(Message("transmit", {"job_id": 1, "prompt": "x", "streams": [{"stream_id": 0}]})),
    wire.encode(Message("ack", {}, {"data": np.zeros(3, "u1")})),
    wire.encode(Message("ack", {}, {"data": np.zeros((2, 2), "f4")})),
    wire.encode(Message("received", {"job_id": "x"})),
    wire.encode(Message("frame", {"snr_db": "loud"}, {"channel": np.zeros((2, 2), "u1")})),
]


class Relay(threading.Thread):
    """Passes what a PUSH sends on to a PULL, a piece of garbage before each message."""

    def __init__(self, context, upstream, downstream):
        super().__init__(daemon=True)
        self._context, self._upstream, self._downstream = context, upstream, downstream
        self.done = threading.Event()
        self.passed = 0

    def run(self):
        pull, push = self._context.socket(zmq.PULL), self._context.socket(zmq.PUSH)
        pull.connect(f"tcp://127.0.0.1:{self._upstream}")
        push.bind(f"tcp://127.0.0.1:{self._downstream}")
        push.setsockopt(zmq.SNDTIMEO, 1000)
        while not self.done.is_set():
            if pull.poll(50):
                parts = pull.recv_multipart()
                for frames in (GARBAGE[self.passed % len(GARBAGE)], parts):
                    try:
                        push.send_multipart(frames)
                    except zmq.Again:
                        break
                self.passed += 1
        pull.close(linger=0)
        push.close(linger=0)


@pytest.fixture
def context():
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


def shoot(context, kind, port):
    """Send every piece of garbage to a bound socket."""
    socket = context.socket(kind)
    socket.connect(f"tcp://127.0.0.1:{port}")
    socket.setsockopt(zmq.SNDTIMEO, 5000)
    for frames in GARBAGE:
        socket.send_multipart(frames)
    return socket


def test_a_good_job_gets_through_garbage_at_every_socket(semcom, service, context, tmp_path):
    source, sink, sink_relayed, feedback, feedback_relayed, samples = free_ports(6)
    network = {"network.source_port": source, "network.samples_port": samples}
    run = load_run(
        overrides={**network, "network.sink_port": sink, "network.feedback_port": feedback}
    )
    sender = load_run(overrides={**network, "network.feedback_port": feedback_relayed})
    relays = [
        Relay(context, sink, sink_relayed),
        Relay(context, feedback, feedback_relayed),
    ]
    work = {role: tmp_path / role for role in ("tx", "rx")}
    for folder in work.values():
        folder.mkdir()
    with Supervisor(tmp_path) as crew:
        start_radio(crew, "rx", run, work["rx"])
        start_radio(crew, "tx", sender, work["tx"])
        for relay in relays:
            relay.start()
        until(lambda: relays[0].passed > 2)  # heartbeats: the receiver runs
        shooters = [
            shoot(context, zmq.DEALER, source),
            shoot(context, zmq.PUSH, samples),
            shoot(context, zmq.DEALER, service.rpartition(":")[2]),
        ]
        for number in (1, 2):
            out = tmp_path / f"out{number}"
            code, _, err = semcom(
                "demo", "--attach", "--snr-db", 20, "--source-port", source,
                "--sink-port", sink_relayed, "--host", service, "--out", out,
            )  # fmt: skip
            # What the relay mixed in is refused with a word; the job is none the worse.
            others = [line for line in err.splitlines() if "transport WARNING refused" not in line]
            assert (code, others) == (0, [])
            report = report_of(out)
            assert report["prompt"]["received"] == report["prompt"]["sent"]
            assert report["quality"]["psnr_db"] > report["quality"]["ideal_psnr_db"] - 0.5
            crew.check()
        assert relays[1].passed >= 1
        for socket in shooters:
            socket.close(linger=0)
        for relay in relays:
            relay.done.set()
            relay.join(5)
