# SPDX-License-Identifier: GPL-3.0-or-later
"""When a job is over, and when waiting for it ends."""

import numpy as np
import pytest

from host.pipeline.exchange import GAVE_UP_GRACE_S, RECEIVED_GRACE_S, STALL_MAX_S, Exchange, carry
from host.pipeline.progress import Unwatched
from semcom_blocks.errors import LinkError, PeerError
from semcom_blocks.wire import Message

DONE = {
    "packets_sent": 1,
    "retransmissions": 0,
    "frames_sent": 4,
    "frames_total": 4,
    "samples_sent": 10,
    "delivered": True,
    "error": None,
}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def exchange(clock):
    return Exchange(7, clock)


def sender(exchange, kind, **meta):
    exchange.from_sender(Message(kind, {"job_id": 7, **meta}), Unwatched())


def receiver(exchange, job_id=7):
    meta = {"job_id": job_id, "prompt": "x", "delivered": True, "frames_received": 4, "streams": []}
    exchange.from_receiver(Message("received", meta))


def test_it_is_over_when_both_sides_are_done_in_either_order(clock):
    for first, second in ((0, 1), (1, 0)):
        exchange = Exchange(7, clock)
        steps = [lambda e=exchange: sender(e, "tx_done", **DONE), lambda e=exchange: receiver(e)]
        assert not exchange.over(True)
        steps[first]()
        assert not exchange.over(True)
        steps[second]()
        assert exchange.over(True)


def test_a_sender_alone_ends_with_its_word(exchange):
    assert not exchange.over(False)
    sender(exchange, "tx_done", **DONE)
    assert exchange.over(False)


def test_other_jobs_do_not_count(exchange):
    receiver(exchange, job_id=8)
    exchange.from_sender(Message("tx_done", {"job_id": 8, **DONE}), Unwatched())
    assert exchange.reception is None
    assert exchange.transmission is None


@pytest.mark.parametrize(
    ("delivered", "grace_s"), [(True, RECEIVED_GRACE_S), (False, GAVE_UP_GRACE_S)]
)
def test_a_receiver_that_stays_silent_is_waited_for_in_bounded_time(
    exchange, clock, delivered, grace_s
):
    sender(exchange, "tx_done", **{**DONE, "delivered": delivered})
    clock.now = grace_s - 0.1
    assert not exchange.over(True)
    clock.now = grace_s + 0.1
    assert exchange.over(True)


def test_a_sender_that_gave_up_into_nothing_need_not_say_done(exchange, clock):
    sender(exchange, "tx_progress", **{**DONE, "delivered": False, "error": "gave up"})
    clock.now = GAVE_UP_GRACE_S + 0.1
    assert exchange.over(False)
    assert exchange.transmission.error == "gave up"


def test_silence_is_an_error_and_any_event_postpones_it(exchange, clock):
    clock.now = STALL_MAX_S - 1
    exchange.from_receiver(Message("frame", {"job_id": 7}, {"channel": np.ones(4, np.complex64)}))
    clock.now = STALL_MAX_S + 1
    exchange.check_stall()
    clock.now = 2 * STALL_MAX_S + 1
    with pytest.raises(PeerError, match="1 frames received"):
        exchange.check_stall()


def test_a_refused_job_is_named(exchange):
    with pytest.raises(LinkError, match="radio tx refused the job: prompt is int"):
        sender(exchange, "error", name="WireError", text="prompt is\nint")


class Kept:
    """What ``carry`` sees of a keeper."""

    def __init__(self):
        self.port, self.down, self.back, self.anew = object(), False, False, 0

    def recovered(self):
        found, self.back = self.back, False
        return found

    def begin_again(self):
        self.anew, self.down = self.anew + 1, True


class Radio:
    """A port whose messages are made by ``script``, one step a turn."""

    def __init__(self, script):
        self.script, self.queue = script, []

    socket = None

    def renew(self):
        pass

    def ping(self):
        self.queue += next(self.script, [])

    def arrived(self):
        found, self.queue = self.queue, []
        return found

    def check(self):
        pass


@pytest.fixture
def still(monkeypatch):
    monkeypatch.setattr("host.pipeline.exchange.poll", lambda ports: None)


def done(job_id):
    return Message("tx_done", {"job_id": job_id, **DONE})


def test_a_job_starts_over_where_its_sender_was_lost(still):
    keeper, submitted = Kept(), []

    def script():
        keeper.down = True
        yield []
        keeper.down, keeper.back = False, True
        yield []
        yield [done(7)]  # of the first try, too late
        yield [done(8)]

    exchange = Exchange(7)
    carry(
        exchange, Radio(script()), None, lambda: None, Unwatched(), {"tx": keeper}, submitted.append
    )
    assert submitted == [8]
    assert (exchange.job_id, exchange.begun) == (8, 2)
    assert exchange.transmission.job_id == 8


def test_a_lost_receiver_costs_the_sender_its_half_of_the_job(still):
    tx, rx, submitted = Kept(), Kept(), []

    def script():
        rx.back = True
        yield []
        yield []
        assert (tx.anew, submitted) == (1, [])
        tx.down, tx.back = False, True
        yield []
        yield [done(8)]

    sink = Radio(iter(()))

    def submit(job_id):
        submitted.append(job_id)
        meta = {"job_id": job_id, "prompt": "x", "delivered": True, "frames_received": 1}
        sink.queue = [Message("received", {**meta, "streams": []})]

    exchange = Exchange(7)
    keepers = {"tx": tx, "rx": rx}
    carry(exchange, Radio(script()), sink, lambda: None, Unwatched(), keepers, submit)
    assert submitted == [8]
    assert exchange.reception.job_id == 8


def test_a_job_that_is_complete_does_not_wait_for_a_device(still):
    keeper = Kept()
    keeper.down = True
    exchange = Exchange(7)
    carry(exchange, Radio(iter([[done(7)]])), None, lambda: None, Unwatched(), {"tx": keeper})
    assert exchange.begun == 1
