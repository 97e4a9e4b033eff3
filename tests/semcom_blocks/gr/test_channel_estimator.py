# SPDX-License-Identifier: GPL-3.0-or-later
"""The Channel Estimator block with a model service that answers, lags, lies or is not there."""

import threading

import numpy as np
import pytest
import zmq

from semcom_blocks.gr.channel_estimator import ChannelEstimator
from semcom_blocks.phy import estimators
from semcom_blocks.remote_estimator import read_question
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message, encode
from tests.semcom_blocks.gr.bench import Bench, free_endpoint, send, until

FRAMES = 8


class Service:
    """Answers with twice the LMMSE's estimate; ``mode`` says how it fails."""

    def __init__(self, endpoint, mode):
        self._endpoint, self.mode = endpoint, mode
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(5)

    def _run(self):
        with (
            zmq.Context() as context,
            MessageSocket(open_socket(context, zmq.ROUTER, bind=self._endpoint)) as socket,
        ):
            self._ready.set()
            while not self._stop.is_set():
                arrived = socket.receive_from(0.01)
                if arrived is not None and self.mode != "silent":
                    socket.offer([arrived[0], *self._reply(arrived[1])], 1.0)

    def _reply(self, request):
        if self.mode == "malformed":
            return [b"SEMC", b"?"]
        received, reference, num = read_question(request)
        twice = 2 * estimators.estimate_known(received, reference, num).response
        response = twice[:-1] if self.mode == "short" else twice
        return encode(Message("estimated", {"id": request.meta["id"]}, {"response": response}))

    def stop(self):
        self._stop.set()
        self._thread.join(5)


def run(passed, endpoint, act=lambda step: None):
    """Estimates of FRAMES frames; ``act`` is called ahead of each."""
    block = ChannelEstimator(method="cgan", host=endpoint, deadline_s=0.2)
    bench = Bench()
    out = bench.collect(block, "estimate")
    grids = [x for x in passed["demodulator.grid"] if "header" in x[0]]
    with bench:
        for step in range(FRAMES):
            act(step)
            send(block, "grid", dict(grids[step % len(grids)][0]), grids[step % len(grids)][1])
            until(lambda count=step + 1: len(out.pdus) == count)
    assert block.refused == 0
    return [meta for meta, _ in out.pdus], grids


def local(grids, step):
    block = ChannelEstimator()
    bench = Bench()
    out = bench.collect(block, "estimate")
    with bench:
        meta, cells = grids[step % len(grids)]
        send(block, "grid", dict(meta), cells)
        until(lambda: out.pdus)
    return out.pdus[0][0]


def test_estimates_of_the_service_are_used(passed):
    endpoint = free_endpoint()
    service = Service(endpoint, "good")
    try:
        found, grids = run(passed, endpoint)
    finally:
        service.stop()
    # The first frame may come before the connection stands.
    assert [meta["estimator"] for meta in found[-3:]] == ["cgan"] * 3
    own = local(grids, FRAMES - 1)
    assert np.allclose(found[-1]["channel"], 2 * own["channel"])
    assert found[-1]["snr_db"] == pytest.approx(own["snr_db"] + 20 * np.log10(2), abs=1e-3)
    assert found[-1]["noise_var"] == own["noise_var"]
    counters = found[-1]["estimator_counters"]
    assert counters["answered"] + counters["fell_back"] == FRAMES


@pytest.mark.parametrize("mode", ["absent", "silent", "malformed", "short"])
def test_frames_go_on_with_the_local_estimate(passed, mode):
    endpoint = free_endpoint()
    service = None if mode == "absent" else Service(endpoint, mode)
    try:
        found, grids = run(passed, endpoint)
    finally:
        if service is not None:
            service.stop()
    assert [meta["estimator"] for meta in found] == ["lmmse"] * FRAMES
    assert found[-1]["estimator_counters"]["fell_back"] == FRAMES
    assert np.array_equal(found[-1]["channel"], local(grids, FRAMES - 1)["channel"])


def test_a_service_that_dies_and_one_that_comes_are_noticed(passed):
    endpoint = free_endpoint()
    services = [Service(endpoint, "good")]

    def act(step):
        if step == 4:
            services[0].stop()

    found, _ = run(passed, endpoint, act)
    assert {meta["estimator"] for meta in found[:4]} >= {"cgan"}
    assert [meta["estimator"] for meta in found[4:]] == ["lmmse"] * 4
