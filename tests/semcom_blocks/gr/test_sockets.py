# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks with sockets: samples, acknowledgements, jobs in and results out."""

import time

import numpy as np
import pytest
import zmq

from semcom_blocks import transport
from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.base import EOF_KEY
from semcom_blocks.gr.feedback_socket import FeedbackSink, FeedbackSource
from semcom_blocks.gr.sample_socket import SampleSink, SampleSource
from semcom_blocks.gr.semantic_sink import SemanticSink
from semcom_blocks.gr.semantic_source import MAX_JOBS, SemanticSource
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.interleave import INTERLEAVERS, gather, interleaver_of
from semcom_blocks.wire import Message
from tests.semcom_blocks.gr.bench import (
    PATIENCE_S,
    Bench,
    Chunks,
    Recorder,
    free_endpoint,
    no_pdus,
    post,
    send,
    until,
)


@pytest.fixture
def peer():
    """Opens message sockets that are closed at the end of the test."""
    with zmq.Context() as context:
        opened = []

        def connect(kind, endpoint):
            opened.append(
                transport.MessageSocket(transport.open_socket(context, kind, connect=endpoint))
            )
            return opened[-1]

        yield connect
        for socket in opened:
            socket.close()


def samples_message(seq, n=100, **meta):
    return Message("samples", {"seq": seq, **meta}, {"samples": np.full(n, seq, np.complex64)})


class TestSamples:
    def test_a_stream_arrives_whole_and_in_order(self):
        endpoint, out = free_endpoint(), Recorder()
        source = SampleSource(endpoint)
        bench = Bench()
        sink = SampleSink(endpoint)
        samples = np.arange(300_000).astype(np.complex64)
        status = bench.collect(sink, "status")
        bench.chain(Chunks(samples, tags=[(250_000, "job_end", 3)]), sink)
        bench.chain(source, out)
        with bench:
            until(lambda: out.count == len(samples))
            until(lambda: status.pdus)
        assert np.array_equal(out.samples, samples)
        assert source.lost == source.refused == 0
        assert [meta for meta, _ in status.pdus] == [{"job_id": 3, "job_end": True}]

    def test_what_is_no_samples_is_refused_and_the_next_message_counts(self, peer):
        endpoint, out = free_endpoint(), Recorder()
        source, bench = SampleSource(endpoint), Bench()
        bench.chain(source, out)
        wrong = [
            Message("ack", {"seq": 1}, {"samples": np.ones(9, np.complex64)}),
            Message("samples", {"seq": 1}, {}),
            Message("samples", {}, {"samples": np.ones(9, np.complex64)}),
            Message("samples", {"seq": "1"}, {"samples": np.ones(9, np.complex64)}),
            Message("samples", {"seq": 1}, {"samples": np.ones(9, np.complex128)}),
            Message("samples", {"seq": 1}, {"samples": np.ones((3, 3), np.complex64)}),
            Message("samples", {"seq": 1}, {"samples": np.ones((), np.complex64)}),
        ]
        with bench:
            push = peer(zmq.PUSH, endpoint)
            for message in wrong:
                assert push.send(message, PATIENCE_S)
            assert push.send(Message("samples", {"seq": 1}, {"samples": np.zeros(0, "c8")}), 1)
            assert push.send(samples_message(2), PATIENCE_S)
            until(lambda: out.count)
        assert source.refused == len(wrong)
        assert np.array_equal(out.samples, np.full(100, 2))

    def test_gaps_are_counted_and_a_sender_may_begin_anew(self, peer):
        endpoint, out = free_endpoint(), Recorder()
        source, bench = SampleSource(endpoint), Bench()
        bench.chain(source, out)
        with bench:
            push = peer(zmq.PUSH, endpoint)
            for seq in (5, 6, 9, 10, 0, 1):
                assert push.send(samples_message(seq), PATIENCE_S)
            until(lambda: out.count == 600)
        assert source.lost == 1
        # Messages hold 100 samples: the third one is the first behind the gap.
        assert [(offset, name) for offset, name, _ in out.tags] == [(200, "gap")]

    def test_without_a_receiver_the_sender_waits_and_loses_nothing(self):
        endpoint, out = free_endpoint(), Recorder()
        samples = np.arange(100_000).astype(np.complex64)
        before, after = Bench(), Bench()
        before.chain(Chunks(samples), SampleSink(endpoint))
        with before:
            after.chain(SampleSource(endpoint), out)
            with after:
                until(lambda: out.count == len(samples))
        assert np.array_equal(out.samples, samples)


class TestFeedback:
    def test_acks_go_out_in_order(self, peer):
        endpoint, bench = free_endpoint(), Bench()
        sink = FeedbackSink(endpoint)
        bench.alone(sink, "ack")
        pull = peer(zmq.PULL, endpoint)
        with bench:
            for message in no_pdus():
                post(sink, "ack", message)
            for number in range(5):
                send(sink, "ack", {"job_id": 1}, bytes([number]))
            got = [pull.receive(PATIENCE_S) for _ in range(5)]
        assert [m.arrays["data"].tolist() for m in got] == [[n] for n in range(5)]
        assert sink.refused == len(no_pdus())

    def test_without_a_taker_the_oldest_acks_are_dropped(self, peer):
        endpoint, bench = free_endpoint(), Bench()
        sink = FeedbackSink(endpoint)
        bench.alone(sink, "ack")
        with bench:
            for number in range(200):
                send(sink, "ack", {}, bytes([number]))
            until(lambda: sink._sender.dropped == 200 - 64)
            pull = peer(zmq.PULL, endpoint)
            got = [pull.receive(PATIENCE_S).arrays["data"][0] for _ in range(64)]
        assert got == list(range(200 - 64, 200))
        assert sink.refused == 0

    def test_what_is_no_ack_is_refused_and_the_next_one_counts(self):
        endpoint, bench = free_endpoint(), Bench()
        source = FeedbackSource(endpoint)
        acks = bench.collect(source, "ack")
        wrong = [
            Message("samples", {}, {"data": np.zeros(3, np.uint8)}),
            Message("ack", {}, {}),
            Message("ack", {}, {"data": np.zeros(3, np.float32)}),
            Message("ack", {}, {"data": np.zeros((2, 2), np.uint8)}),
        ]
        with zmq.Context() as context:
            bound = transport.open_socket(context, zmq.PUSH, bind=endpoint)
            with transport.MessageSocket(bound) as push, bench:
                for message in wrong:
                    assert push.send(message, PATIENCE_S)
                bound.send_multipart([b"SEMC", b"garbage"])
                assert push.send(Message("ack", {}, {"data": np.arange(3, dtype="u1")}), 1)
                until(lambda: acks.pdus)
        assert [vector.tolist() for _, vector in acks.pdus] == [[0, 1, 2]]
        assert source._socket.refused == len(wrong) + 1


def transmit(job_id, n=50, **changes):
    meta = {
        "id": f"request {job_id}",
        "job_id": job_id,
        "prompt": "a cat",
        "streams": [{"stream_id": 2, "descriptor": {"c": "x"}}],
    }
    return Message("transmit", meta | changes, {"stream_2": np.arange(n).astype(np.complex64)})


class TestSemanticSource:
    @pytest.fixture
    def source(self, peer):
        """A running Semantic Source with its host: has block, host, analog, messages."""
        endpoint, bench = free_endpoint(), Bench()
        bench.block = SemanticSource(endpoint)
        bench.analog = bench.collect(bench.block, "analog").pdus
        bench.messages = bench.collect(bench.block, "message").pdus
        bench.host = peer(zmq.DEALER, endpoint)
        with bench:
            yield bench

    def ask(self, source, message):
        assert source.host.send(message, PATIENCE_S)
        answer = source.host.receive(PATIENCE_S)
        assert answer is not None
        return answer

    def test_a_job_goes_out_and_its_progress_comes_back(self, source):
        answer = self.ask(source, transmit(7))
        assert (answer.kind, answer.meta) == ("accepted", {"id": "request 7", "job_id": 7})
        until(lambda: source.messages and source.analog)
        ((meta, symbols),) = source.analog
        assert meta == {"job_id": 7, "stream_id": 2}
        assert sorted(symbols.real.tolist()) == list(range(50))
        ((meta, body),) = source.messages
        message = SemanticMessage.from_bytes(body.tobytes())
        assert (meta, message.prompt) == ({"job_id": 7}, "a cat")
        assert message.streams == ((2, {"c": "x", "n": 50}),)

        send(source.block, "status", {"job_id": 7, "frames_total": 3})
        assert source.host.receive(PATIENCE_S).meta["frames_total"] == 3
        arq = {"arq": "delivered", "packets_sent": 2, "retransmissions": 1}
        send(source.block, "status", {"job_id": 7, **arq})
        assert source.host.receive(PATIENCE_S).kind == "tx_progress"
        send(source.block, "status", {"job_id": 7, "job_end": True})
        done = source.host.receive(PATIENCE_S)
        assert done.kind == "tx_done"
        assert (done.meta["delivered"], done.meta["error"]) == (True, None)

    @pytest.mark.parametrize("interleaver", INTERLEAVERS)
    def test_streams_go_out_in_the_order_that_the_message_names(self, peer, interleaver):
        endpoint, bench = free_endpoint(), Bench()
        bench.block = SemanticSource(endpoint, interleaver=interleaver)
        analog = bench.collect(bench.block, "analog").pdus
        messages = bench.collect(bench.block, "message").pdus
        bench.host = peer(zmq.DEALER, endpoint)
        with bench:
            assert self.ask(bench, transmit(7)).kind == "accepted"
            until(lambda: messages and analog)
        ((_, descriptor),) = SemanticMessage.from_bytes(messages[0][1].tobytes()).streams
        assert interleaver_of(descriptor) == interleaver
        assert np.array_equal(gather(analog[0][1], interleaver), np.arange(50))

    def test_a_number_in_use_is_refused_until_its_job_is_done(self, source):
        assert self.ask(source, transmit(7)).kind == "accepted"
        refused = self.ask(source, transmit(7))
        assert (refused.kind, refused.meta["name"]) == ("error", "ConfigError")
        assert refused.meta["id"] == "request 7"
        assert "job_id is 7" in refused.meta["text"]
        send(source.block, "status", {"job_id": 7, "job_end": True})
        assert source.host.receive(PATIENCE_S).kind == "tx_done"
        assert self.ask(source, transmit(7)).kind == "accepted"

    def test_jobs_under_way_are_bounded(self, source):
        answers = [self.ask(source, transmit(n)).kind for n in range(MAX_JOBS + 1)]
        assert answers == ["accepted"] * MAX_JOBS + ["error"]

    def test_statuses_of_unknown_jobs_and_odd_ones_do_no_harm(self, source):
        assert self.ask(source, transmit(7)).kind == "accepted"
        for meta in ({}, {"job_id": 5}, {"job_id": "x"}, {"job_id": 7, "arq": "delivered"}):
            send(source.block, "status", meta)
        for message in no_pdus():
            post(source.block, "status", message)
        send(source.block, "status", {"job_id": 7, "job_end": True})
        assert source.host.receive(PATIENCE_S).kind == "tx_done"
        assert source.block.refused == 2 + len(no_pdus())

    def test_a_peer_that_left_costs_nothing(self, source, peer):
        with zmq.Context() as context:
            endpoint = source.host.endpoint
            left = transport.open_socket(context, zmq.DEALER, connect=endpoint)
            with transport.MessageSocket(left) as other:
                for job in range(MAX_JOBS):
                    assert other.send(transmit(job), PATIENCE_S)
                    assert other.receive(PATIENCE_S).kind == "accepted"
        for job in range(MAX_JOBS):  # what goes before the socket knows who left is lost uncounted
            send(source.block, "status", {"job_id": job, "job_end": True})
            time.sleep(0.1)
        until(lambda: source.block._socket.dropped)
        assert self.ask(source, Message("ping", {"id": "x"})).meta["id"] == "x"


class TestSemanticSink:
    @pytest.fixture
    def sink(self, peer):
        """A running Semantic Sink with its host: has block and host."""
        endpoint, bench = free_endpoint(), Bench()
        bench.block = SemanticSink(endpoint, idle_timeout_s=0.3)
        bench.alone(bench.block, "frames")
        bench.host = peer(zmq.PULL, endpoint)
        with bench:
            yield bench

    def told(self, sink, kind):
        """The next message of a kind."""
        while (message := sink.host.receive(PATIENCE_S)).kind != kind:
            assert message.kind in ("status", "frame")
        return message

    def feed(self, sink, passed, frames=True, message=True):
        if frames:
            for meta, vector in passed["equalizer.frames"]:
                send(sink.block, "frames", meta, vector)
        if message:
            for meta, _ in passed["arq_receiver.message"]:
                send(sink.block, "message", meta, SemanticMessage("hello").to_bytes())

    def test_heartbeats_come_while_nothing_happens(self, sink):
        beats = [self.told(sink, "status") for _ in range(3)]
        assert all(beat.meta["role"] == "rx" for beat in beats)

    @pytest.mark.parametrize("first", ["frames", "message"])
    def test_a_job_comes_out_whichever_of_its_parts_is_first(self, sink, passed, first):
        self.feed(sink, passed, first == "frames", first == "message")
        self.feed(sink, passed, first != "frames", first != "message")
        received = self.told(sink, "received")
        assert (received.meta["job_id"], received.meta["prompt"]) == (77, "hello")
        assert received.meta["delivered"] is True
        assert received.meta["frames_received"] == received.meta["frames_expected"] == 3

    def test_what_no_message_completes_ends_by_silence(self, sink, passed):
        payload = passed["equalizer.frames"][:2]
        for meta, vector in payload:
            send(sink.block, "frames", meta, vector)
        received = self.told(sink, "received")
        assert received.meta["prompt"] is None
        assert received.meta["delivered"] is False
        (stream,) = received.meta["streams"]
        assert stream["received"] == sum(len(vector) for _, vector in payload)

    @pytest.mark.parametrize("number", [0, 1, 2, 3])
    def test_symbols_come_back_in_the_order_that_the_message_names(self, sink, passed, number):
        """In one that nobody knows here they are lost, and the prompt is not."""
        self.feed(sink, passed, message=False)
        heard = np.zeros(len(passed["symbols"]), np.complex64)
        for meta, vector in passed["equalizer.frames"]:
            at = FrameHeader.from_bytes(meta["header"].tobytes()).analog_offset
            heard[at : at + len(vector)] = vector  # nothing in frames that close the job
        told = ((1, {"n": len(heard), "i": number}),)
        for meta, _ in passed["arq_receiver.message"]:
            send(sink.block, "message", meta, SemanticMessage("hello", told).to_bytes())
        received = self.told(sink, "received")
        assert received.meta["prompt"] == "hello"
        symbols, noise_var = (received.arrays[f"{name}_1"] for name in ("stream", "noise_var"))
        if number < len(INTERLEAVERS):
            assert np.array_equal(symbols, gather(heard, INTERLEAVERS[number]))
            assert np.all(np.isfinite(noise_var))
        else:
            assert not symbols.any()
            assert np.all(np.isinf(noise_var))

    def test_spoiled_frames_and_messages_are_counted_and_the_job_comes_out(self, sink, passed):
        meta, vector = passed["equalizer.frames"][0]
        bad = [
            ({}, vector),
            ({**meta, "header": meta["header"][:5]}, vector),
            ({**meta, "snr_db": "loud"}, vector),
            ({key: value for key, value in meta.items() if key != "channel"}, vector),
            ({**meta, "symbol_noise_var": meta["symbol_noise_var"][:-1]}, vector),
        ]
        for spoiled_meta, spoiled_vector in bad:
            send(sink.block, "frames", spoiled_meta, spoiled_vector)
        for message in no_pdus():
            post(sink.block, "frames", message)
            post(sink.block, "message", message)
        send(sink.block, "message", {"job_id": 77}, b"\x10 no message")
        self.feed(sink, passed)
        assert self.told(sink, "received").meta["prompt"] == "hello"
        assert sink.block.refused == len(bad) + 2 * len(no_pdus()) + 1

    def test_a_host_that_pauses_finds_the_job_behind_a_flood_of_frames(self, passed):
        """Measurements beyond the queue are dropped, the oldest first, and counted."""
        endpoint, bench = free_endpoint(), Bench()
        block = SemanticSink(endpoint)
        bench.alone(block, "frames")
        with bench, zmq.Context() as context:
            bench.block = block
            self.feed(bench, passed)
            meta, vector = passed["equalizer.frames"][0]
            for _ in range(400):
                send(block, "frames", meta, vector)
            until(lambda: block._frames.dropped == 406 - 256)
            pull = transport.open_socket(context, zmq.PULL, connect=endpoint)
            with transport.MessageSocket(pull) as bench.host:
                assert self.told(bench, "received").meta["prompt"] == "hello"
                counters = self.told(bench, "status").meta["counters"]
        assert counters["dropped"] == 406 - 256

    def test_a_recording_ends_only_when_frames_and_messages_have(self, sink, passed):
        payload = passed["equalizer.frames"][:3]
        for meta, vector in payload:
            send(sink.block, "frames", meta, vector)
        send(sink.block, "frames", {EOF_KEY: True})
        until(lambda: sink.block._at_end == {"frames"})
        self.feed(sink, passed, frames=False)
        send(sink.block, "message", {EOF_KEY: True})
        assert self.told(sink, "received").meta["prompt"] == "hello"
        assert self.told(sink, "end").kind == "end"


@pytest.mark.parametrize("make", [SampleSource, SemanticSink, SemanticSource, FeedbackSink])
def test_an_endpoint_in_use_and_one_beyond_loopback_have_a_name(make):
    endpoint = free_endpoint()
    with zmq.Context() as context, context.socket(zmq.PULL) as taken:
        taken.bind(endpoint)
        with pytest.raises(ConfigError, match=f"{endpoint} is in use"):
            make(endpoint)
    with pytest.raises(ConfigError, match="not loopback"):
        make("tcp://*:5999")
