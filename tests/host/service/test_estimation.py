# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates by the service: answered beside long requests, refused by name where they are odd."""

import threading

import numpy as np
import pytest
import zmq

from host.client import HostClient
from host.service.estimation import EstimateHandlers
from host.service.handlers import Handlers
from host.service.server import Server
from semcom_blocks.errors import ModelError, WireError
from semcom_blocks.phy.known import KnownCells
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.remote_estimator import RemoteEstimator, question
from semcom_blocks.wire import Message
from tests.host.codec_double import CodecDouble

NUM = Numerology()
CELLS = KnownCells(np.ones((7, NUM.n_used), "c8"), np.ones((NUM.n_comb, 9), "c8"))


class Double:
    """An estimator without a network: LS of the rows."""

    name = "double"

    def estimate_known(self, received, reference, numerology):
        return np.mean(received.rows / reference.rows, axis=0).astype(np.complex64)


def none():
    raise ModelError("cgan-v1.json: cannot be read")


@pytest.fixture
def serve():
    """A function that starts a service with an estimator loader: (endpoint, its codec's gate)."""
    running = []
    gate = threading.Event()

    class Slow(CodecDouble):
        def encode(self, image, rate, snr_db, fading=False):
            gate.wait(10)
            return super().encode(image, rate, snr_db)

    def start(load):
        server = Server("tcp://127.0.0.1:*", Handlers(Slow), estimates=EstimateHandlers(load))
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        running.append((server, thread))
        return server.endpoint, gate

    yield start
    gate.set()
    for server, thread in running:
        server.stop()
        thread.join(5)
        server.close()


@pytest.fixture
def context():
    with zmq.Context() as context:
        yield context
        context.destroy(linger=0)


def test_an_estimate_does_not_wait_for_a_picture(serve, context):
    endpoint, gate = serve(Double)
    client = HostClient(context, endpoint)
    client.ping(10)
    client._send(Message("encode", {"id": 1, "rate": "1/6", "snr_db": 10.0}, PICTURE), 5)
    remote = RemoteEstimator(endpoint, 1.0, context=context)
    remote._socket.socket.poll(2000, zmq.POLLOUT)
    assert not gate.is_set()
    assert np.array_equal(remote.ask(CELLS, CELLS, NUM), np.ones(NUM.n_used))
    remote.close()
    client.close()


PICTURE = {"image": np.zeros((8, 8, 3), np.uint8)}


def test_who_estimates_is_told_and_missing_weights_are_named(serve, context):
    client = HostClient(context, serve(Double)[0])
    client.ping(10)
    assert client.request(Message("estimator"), "estimator").meta["name"] == "double"
    client.close()
    client = HostClient(context, serve(none)[0])
    client.ping(10)
    with pytest.raises(ModelError, match=r"cgan-v1\.json"):
        client.request(Message("estimator"), "estimator")
    remote = RemoteEstimator(client._endpoint, 1.0, context=context)
    remote._socket.socket.poll(2000, zmq.POLLOUT)
    assert remote.ask(CELLS, CELLS, NUM) is None
    assert remote.counters["refused"] == 1
    remote.close()
    client.close()


def test_odd_questions_are_refused_and_the_next_one_counts(serve, context):
    client = HostClient(context, serve(Double)[0])
    client.ping(10)
    good = question(CELLS, CELLS, NUM, 1)
    for name in good.arrays:
        arrays = {k: v for k, v in good.arrays.items() if k != name}
        with pytest.raises(WireError, match=name):
            client.request(Message("estimate", good.meta, arrays), "estimated")
    reply = client.request(good, "estimated")
    assert reply.array("response", np.complex64, 1).shape == (NUM.n_used,)
    client.close()
