# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking for a channel: answers in time, late, wrong or never, and what comes of each."""

import threading
import time

import numpy as np
import pytest
import zmq

from semcom_blocks.errors import ConfigError, WireError
from semcom_blocks.phy.known import KnownCells
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.remote_estimator import (
    MISSES,
    RemoteEstimator,
    check_deadline,
    question,
    read_question,
)
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message, decode, encode

NUM = Numerology()
RESPONSE = np.exp(1j * np.arange(NUM.n_used)).astype(np.complex64)


def cells(value=1.0, rows=7, symbols=20):
    return KnownCells(
        np.full((rows, NUM.n_used), value, np.complex64),
        np.full((NUM.n_comb, symbols), value, np.complex64),
    )


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


class Service:
    """A ROUTER that gives each question to ``answer`` and sends what that returns."""

    def __init__(self, context, answer):
        self.asked = 0
        self.answer = answer
        self._socket = MessageSocket(open_socket(context, zmq.ROUTER, bind="tcp://127.0.0.1:*"))
        self.endpoint = self._socket.endpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with self._socket as socket:
            while not self._stop.is_set():
                arrived = socket.receive_from(0.01)
                if arrived is None:
                    continue
                self.asked += 1
                for reply in self.answer(arrived[1]):
                    frames = encode(reply) if isinstance(reply, Message) else reply
                    socket.offer([arrived[0], *frames], 1.0)

    def stop(self):
        self._stop.set()
        self._thread.join(5)


def good(request, response=RESPONSE):
    return [Message("estimated", {"id": request.meta["id"]}, {"response": response})]


@pytest.fixture
def serve():
    """A function that starts a service and a client of it: (service, client)."""
    started = []
    with zmq.Context() as context:

        def start(answer, deadline_s=1.0, **settings):
            service = Service(context, answer)
            client = RemoteEstimator(service.endpoint, deadline_s, context=context, **settings)
            started.append((service, client))
            # A connecting socket sends nothing before the connection stands.
            client._socket.socket.poll(2000, zmq.POLLOUT)
            return service, client

        yield start
        for service, client in started:
            service.stop()
            client.close()
        context.destroy(linger=0)


def test_a_question_survives_the_wire():
    received, sent, num = read_question(
        decode(encode(question(cells(2.0), cells(), Numerology(n_comb=4), 3)))
    )
    assert num == NUM
    assert np.array_equal(received.rows, cells(2.0).rows)
    assert np.array_equal(sent.comb, cells().comb)


def test_a_frame_without_comb_pilots_can_be_asked_for():
    none = KnownCells(cells().rows, np.zeros((0, 0), np.complex64))
    received, _, _ = read_question(decode(encode(question(none, none, NUM, 1))))
    assert received.comb.size == 0


def spoilt(**changes):
    message = question(cells(), cells(), NUM, 1)
    return Message("estimate", message.meta, {**message.arrays, **changes})


NAN = cells(np.nan)


@pytest.mark.parametrize(
    "message",
    [
        Message("estimate", {"id": 1}, {}),
        Message("estimate", {"id": 1, "numerology": {}}, {}),
        Message("estimate", {"numerology": {"fft_size": 63}}, spoilt().arrays),
        Message("estimate", {"numerology": {"magic": 1}}, spoilt().arrays),
        spoilt(rows=cells().rows[:, :-1]),
        spoilt(rows=cells().rows[0]),
        spoilt(rows=cells().rows.astype(np.complex128)),
        spoilt(rows_sent=cells(rows=6).rows),
        spoilt(comb=cells(symbols=19).comb),
        spoilt(comb=cells().comb[:3], comb_sent=cells().comb[:3]),
        spoilt(rows=NAN.rows),
        spoilt(comb_sent=NAN.comb),
        spoilt(rows=cells().rows[:0], rows_sent=cells().rows[:0]),
        spoilt(rows_sent=cells(0.0).rows),
        spoilt(rows=np.ones((9000, NUM.n_used), "c8"), rows_sent=np.ones((9000, NUM.n_used), "c8")),
    ],
)
def test_an_odd_question_is_refused_by_name(message):
    with pytest.raises((WireError, ConfigError), match=r"permitted|missing"):
        read_question(message)


def test_an_answer_in_time_is_taken(serve):
    _, client = serve(good)
    assert np.array_equal(client.ask(cells(), cells(), NUM), RESPONSE)
    assert client.counters == {"asked": 1, "answered": 1, "late": 0, "refused": 0, "fell_back": 0}


@pytest.mark.parametrize(
    "answer",
    [
        lambda q: [Message("error", {"id": q.meta["id"], "name": "ModelError", "text": "none"})],
        lambda q: good(q, RESPONSE[:-1]),
        lambda q: good(q, np.full(NUM.n_used, np.nan, np.complex64)),
        lambda q: good(q, RESPONSE.astype(np.complex128)),
        lambda q: [Message("picture", {"id": q.meta["id"]}, {"response": RESPONSE})],
        lambda q: [Message("estimated", {"id": q.meta["id"]}, {})],
    ],
)
def test_a_wrong_answer_is_a_miss_without_a_wait(serve, answer):
    service, client = serve(answer, deadline_s=1.0)
    assert client.ask(cells(), cells(), NUM) is None
    assert client.counters["refused"] == client.counters["fell_back"] == 1
    service.answer = good
    assert client.ask(cells(), cells(), NUM) is not None


def test_malformed_and_foreign_messages_are_skipped(serve):
    def answer(q):
        odd = [[b"abc"], [b"SEMC" + bytes(8), b"\xff"], [b""] * 3]
        return [*odd, Message("estimated", {"id": "x"}, {}), Message("pong", {}), *good(q)]

    _, client = serve(answer)
    assert np.array_equal(client.ask(cells(), cells(), NUM), RESPONSE)
    assert client.counters["refused"] == 5


def test_a_late_answer_is_counted_and_never_taken_for_another_frame(serve):
    held = []

    def answer(q):
        if q.meta["id"] == 1:
            held.append(q)
            return []
        return [*good(held[0], RESPONSE * 2), *good(q)]

    _, client = serve(answer, deadline_s=0.05)
    assert client.ask(cells(), cells(), NUM) is None
    client._deadline_s = 1.0
    assert np.array_equal(client.ask(cells(), cells(), NUM), RESPONSE)
    assert client.counters == {"asked": 2, "answered": 1, "late": 1, "refused": 0, "fell_back": 1}


def test_a_silent_service_is_left_alone_and_tried_again(serve):
    clock = Clock()
    service, client = serve(lambda q: [], 0.01, retry_s=10.0, clock=clock)
    # Its clock stands still, so the wait alone ends a question.
    for _ in range(MISSES + 5):
        assert client.ask(cells(), cells(), NUM) is None
    assert client.counters["asked"] == MISSES
    assert client.counters["fell_back"] == MISSES + 5
    clock.now_s = 11.0
    assert client.ask(cells(), cells(), NUM) is None  # one question, and back to rest
    assert client.ask(cells(), cells(), NUM) is None
    assert client.counters["asked"] == MISSES + 1
    clock.now_s, service.answer, client._deadline_s = 22.0, good, 1.0
    assert client.ask(cells(), cells(), NUM) is not None
    assert client.ask(cells(), cells(), NUM) is not None


def test_without_a_service_nothing_waits():
    with zmq.Context() as context, context.socket(zmq.PULL) as taken:
        port = taken.bind_to_random_port("tcp://127.0.0.1")
        taken.unbind(f"tcp://127.0.0.1:{port}")
        client = RemoteEstimator(f"tcp://127.0.0.1:{port}", 1.0, retry_s=0.0, context=context)
        began_s = time.monotonic()
        assert all(client.ask(cells(), cells(), NUM) is None for _ in range(30))
        assert time.monotonic() - began_s < 15  # 30 deadlines would be 30 s
        assert client.counters["asked"] == 0
        client.close()


@pytest.mark.parametrize("deadline_s", [0, 2.0, float("nan"), "1", True, None])
def test_a_deadline_out_of_range_is_refused(deadline_s):
    with pytest.raises(ConfigError, match="permitted"):
        check_deadline(deadline_s)
