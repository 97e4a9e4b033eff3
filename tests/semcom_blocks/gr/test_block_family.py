# SPDX-License-Identifier: GPL-3.0-or-later
"""What all blocks with message ports have in common."""

import ast
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import semcom_blocks.gr
from semcom_blocks.gr.base import EOF_KEY, PduBlock
from semcom_blocks.gr.channel_estimator import ChannelEstimator
from semcom_blocks.gr.equalizer import Equalizer
from semcom_blocks.gr.ofdm_demodulator import OfdmDemodulator
from semcom_blocks.gr.ofdm_modulator import OfdmModulator
from semcom_blocks.gr.pilot_inserter import PilotInserter
from semcom_blocks.gr.prompt_arq_receiver import PromptArqReceiver
from semcom_blocks.gr.prompt_arq_sender import PromptArqSender
from semcom_blocks.phy.header import FrameHeader
from tests.semcom_blocks.gr.bench import Bench, Recorder, no_pdus, post, send, until

SOURCES = sorted(Path(semcom_blocks.gr.__file__).parent.glob("*.py"))
#: What needs more does more than wrap.
MAX_LINES = 160
#: Names of NumPy that move data; everything else is mathematics and belongs to the core.
MOVES = {"ndarray", "generic", "dtype", "uint8", "float32", "complex64"}
MOVES |= {"zeros", "concatenate", "frombuffer", "random", "__version__"}


@dataclass(frozen=True)
class Member:
    """A block, the port under test, where its good PDUs were recorded, and where they lead."""

    make: type
    port: str
    source: str
    output: str


FAMILY = {
    "sender": Member(PromptArqSender, "message", "arq_receiver.message", "packets"),
    "pilots": Member(PilotInserter, "payload", "arq.packets", "grid"),
    "demodulator": Member(OfdmDemodulator, "frames", "sync.frames", "grid"),
    "estimator": Member(ChannelEstimator, "grid", "demodulator.grid", "estimate"),
    "equalizer": Member(Equalizer, "estimate", "estimator.estimate", "frames"),
    "receiver": Member(PromptArqReceiver, "packets", "equalizer.packets", "ack"),
}


def good(passed, member):
    """Recorded PDUs of the member's port that lead to something on its output."""
    pdus = [(meta, vector) for meta, vector in passed[member.source] if len(vector)]
    return [({**meta, "burst_left": 0}, vector) for meta, vector in pdus]


def spoiled(meta, vector):
    """PDUs that are well formed and of no use to any block that reads a header."""
    without = {key: value for key, value in meta.items() if key != "header"}
    header = meta["header"].copy()
    header[3] ^= 1
    longest = FrameHeader(1, 1, analog_symbols=0xFFFF).to_bytes()
    return [
        ({}, b""),
        (without, vector),
        ({**meta, "header": header}, vector),
        ({**meta, "header": meta["header"][:-1]}, vector),
        ({**meta, "header": "text"}, vector),
        ({**meta, "header": 5}, vector),
        ({**meta, "header": longest}, vector[:10]),
        (meta, vector[:3]),
        (meta, np.zeros(0, np.complex64)),
        (meta, np.zeros(7, np.uint8)),
        (meta, b""),
    ]


@pytest.mark.parametrize("name", FAMILY)
class TestFamily:
    def test_what_is_no_pdu_is_counted_and_the_next_one_works(self, name, passed):
        member = FAMILY[name]
        bench, block = Bench(), member.make()
        outcome = bench.collect(block, member.output)
        meta, vector = good(passed, member)[0]
        with bench:
            for number, message in enumerate(no_pdus(), 1):
                post(block, member.port, message)
                until(lambda n=number: block.refused == n)
                assert outcome.pdus == []
            send(block, member.port, meta, vector)
            until(lambda: outcome.pdus)
        assert block.refused == len(no_pdus())

    def test_the_end_of_a_stream_comes_out_behind_all_that_came_before(self, name, passed):
        member = FAMILY[name]
        bench, block = Bench(), member.make()
        # Without a vector they may be counters, or lead nowhere.
        feed = good(passed, member)
        bench_outputs = {port: bench.collect(block, port) for port in block._outputs}
        assert member.output in bench_outputs
        with bench:
            for meta, vector in feed:
                send(block, member.port, meta, vector)
            send(block, member.port, {EOF_KEY: True})
            until(lambda: all(collector.ends for collector in bench_outputs.values()))
            assert len(bench_outputs[member.output].pdus) >= len(feed)
        assert [collector.ends for collector in bench_outputs.values()] == [1] * len(bench_outputs)
        assert block.refused == 0


@pytest.mark.parametrize("name", ["demodulator", "estimator", "equalizer"])
def test_a_spoiled_frame_costs_itself_only(name, passed):
    member = FAMILY[name]
    bench, block = Bench(), member.make()
    outcome = bench.collect(block, member.output)
    meta, vector = good(passed, member)[0]
    bad = spoiled(meta, vector)
    with bench:
        for spoiled_meta, spoiled_vector in bad:
            send(block, member.port, spoiled_meta, spoiled_vector)
        send(block, member.port, meta, vector)
        until(lambda: block.refused + len(outcome.pdus) > len(bad))
    assert block.refused == len(bad)
    assert len(outcome.pdus) == 1


def test_a_spoiled_grid_costs_itself_only(passed):
    bench, block, stream = Bench(), OfdmModulator(gap_samples=10), Recorder()
    bench.chain(block, stream)
    meta, vector = passed["pilots.grid"][0]
    bad = spoiled(meta, vector)
    with bench:
        for spoiled_meta, spoiled_vector in bad:
            send(block, "grid", spoiled_meta, spoiled_vector)
        for message in no_pdus():
            post(block, "grid", message)
        send(block, "grid", {EOF_KEY: True})
        send(block, "grid", meta, vector)
        until(lambda: stream.at("frame"))
        until(lambda: block.refused == len(bad) + len(no_pdus()))
    assert len(stream.at("frame")) == 1


@pytest.mark.parametrize(
    ("meta", "vector"),
    [
        ({"job_id": 1, "stream_id": 300}, np.ones(5, np.complex64)),
        ({"job_id": 70_000, "stream_id": 1}, np.ones(5, np.complex64)),
        ({"job_id": "one", "stream_id": 1}, np.ones(5, np.complex64)),
        ({"stream_id": 1}, np.ones(5, np.complex64)),
        ({"job_id": 1, "attempt": 1, "burst_left": 0}, np.zeros(2000, np.uint8)),
        ({"job_id": -1, "attempt": 1, "burst_left": 0}, np.zeros(20, np.uint8)),
        ({"job_id": 1, "attempt": 1}, np.zeros(20, np.uint8)),
        ({"job_id": 1, "attempt": 1, "burst_left": 0}, np.zeros(20, np.float32)),
    ],
)
def test_a_spoiled_payload_leaves_nothing_behind(passed, meta, vector):
    bench, block = Bench(), PilotInserter()
    grids = bench.collect(block, "grid")
    with bench:
        send(block, "payload", meta, vector)
        send(block, "payload", {"job_id": 3, "attempt": 1, "burst_left": 0}, b"packet")
        until(lambda: grids.pdus)
    assert block.refused == 1
    (header,) = [FrameHeader.from_bytes(meta["header"].tobytes()) for meta, _ in grids.pdus]
    assert (header.job_id, header.digital_bytes, header.analog_symbols) == (3, 6, 0)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_blocks_hold_no_mathematics(source):
    text = source.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    tree = ast.parse(text)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "np"
    }
    assert used <= MOVES
    operators = [node.op for node in ast.walk(tree) if isinstance(node, ast.BinOp)]
    assert not [op for op in operators if isinstance(op, (ast.MatMult, ast.Pow))]


class Ticking(PduBlock):
    """Fails at every tick but the fifth, at which it publishes."""

    def __init__(self):
        super().__init__("Ticking", {}, ("out",), 0.001, self._on_tick)
        self.ticks = 0

    def _on_tick(self):
        self.ticks += 1
        if self.ticks == 5:
            self.publish("out", {"tick": self.ticks})
        else:
            raise ZeroDivisionError("once more")


def test_a_tick_that_fails_is_counted_and_the_clock_goes_on():
    bench, block = Bench(), Ticking()
    outcome = bench.collect(block, "out")
    with bench:
        until(lambda: outcome.pdus)
        until(lambda: block.refused >= 10)
    ticks = block.ticks
    time.sleep(0.02)
    assert block.ticks == ticks
