# SPDX-License-Identifier: GPL-3.0-or-later
"""A bench for blocks: a top block, PDUs in by hand, PDUs out into lists."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from host.supervise.ports import free_ports
from semcom_blocks.errors import ConfigError
from semcom_blocks.gr import pdu
from semcom_blocks.gr.base import PduBlock

#: Blocks need milliseconds; the rest is for a machine under load.
PATIENCE_S = 10.0


def free_endpoint() -> str:
    """A loopback endpoint on which nobody listens at the moment."""
    return f"tcp://127.0.0.1:{free_ports(1)[0]}"


def until(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Wait for ``condition()`` to be true and return what it gave."""
    end_s = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.002)
    return found


class Collector(PduBlock):
    """Keeps what comes: ``pdus`` as (meta, vector), ``ends`` counts end-of-stream PDUs."""

    def __init__(self) -> None:
        super().__init__("Collector", {"in": self._on_pdu}, ("out",))
        self.pdus: list[tuple[dict[str, Any], np.ndarray]] = []
        self.ends = 0

    def on_eof(self, port: str) -> None:
        self.ends += 1

    def _on_pdu(self, meta: dict[str, Any], vector: np.ndarray) -> None:
        self.pdus.append((meta, vector))


class Chunks(gr.sync_block):
    """Gives out a stream in calls of the sizes asked for, tags included, then idles.

    ``tags`` are (offset, name, value).  A flowgraph rounds sizes down to what its buffers hold.
    """

    def __init__(self, samples: np.ndarray, sizes: Any = None, tags: Any = ()) -> None:
        gr.sync_block.__init__(self, "Chunks", in_sig=None, out_sig=[np.complex64])
        self._samples, self._at = samples, 0
        self._sizes = iter(sizes) if sizes is not None else None
        self._tags = list(tags)

    def work(self, input_items, output_items):
        out = output_items[0]
        size = len(out) if self._sizes is None else next(self._sizes)
        n = min(len(out), size, len(self._samples) - self._at)
        if n == 0:
            time.sleep(0.001)
            return 0
        out[:n] = self._samples[self._at : self._at + n]
        for offset, name, value in self._tags:
            if self._at <= offset < self._at + n:
                self.add_item_tag(0, offset, pmt.intern(name), pmt.to_pmt(value))
        self._at += n
        return n


class Recorder(gr.sync_block):
    """Keeps a stream and its tags as (offset, name, value); taken where a test can see them."""

    def __init__(self) -> None:
        gr.sync_block.__init__(self, "Recorder", in_sig=[np.complex64], out_sig=None)
        self._pieces: list[np.ndarray] = []
        self.tags: list[tuple[int, str, Any]] = []
        self.count = 0

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.complex64), *self._pieces])

    def at(self, name: str) -> list[int]:
        """Offsets of the tags of this name."""
        return [offset for offset, found, _ in self.tags if found == name]

    def work(self, input_items, output_items):
        n = len(input_items[0])
        for tag in self.get_tags_in_window(0, 0, n):
            name = pmt.symbol_to_string(tag.key)
            self.tags.append((tag.offset, name, pmt.to_python(tag.value)))
        self._pieces.append(input_items[0].copy())
        self.count += n
        return n


class Bench:
    """A flowgraph under test; runs inside ``with``."""

    def __init__(self) -> None:
        self.top = gr.top_block("bench", catch_exceptions=False)
        self._kept: list[Any] = []

    def chain(self, *blocks: Any) -> None:
        """Connect stream blocks in a row."""
        self._kept.extend(blocks)
        self.top.connect(*blocks)

    def message(self, source: Any, output: str, target: Any, port: str) -> None:
        """Connect message ports."""
        self._kept.extend((source, target))
        self.top.msg_connect(source, output, target, port)

    def alone(self, block: Any, port: str) -> None:
        """Make a block part of the flowgraph of which only an input port is used."""
        self.message(Collector(), "out", block, port)

    def collect(self, block: Any, port: str) -> Collector:
        """Keep what comes out of a port."""
        collector = Collector()
        self.message(block, port, collector, "in")
        return collector

    def __enter__(self) -> "Bench":
        self.top.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.top.stop()
        self.top.wait()


def post(block: Any, port: str, message: Any) -> None:
    """Hand a PMT to an input port."""
    block.to_basic_block()._post(pmt.intern(port), message)


def send(block: Any, port: str, meta: dict[str, Any], vector: np.ndarray | bytes = b"") -> None:
    """Hand a PDU to an input port."""
    post(block, port, pdu.make(meta, vector))


def no_pdus() -> list[Any]:
    """Messages that no block of ours can use, whatever its port is for."""
    table, put, name = pmt.make_dict(), pmt.dict_add, pmt.intern
    messages = [
        pmt.PMT_NIL,
        pmt.PMT_T,
        pmt.from_long(3),
        pmt.intern("text"),
        table,
        pmt.cons(name("a"), name("b")),
        pmt.cons(put(table, pmt.from_long(1), pmt.PMT_T), pmt.PMT_NIL),
        pmt.cons(put(table, name("a"), pmt.init_f64vector(2, [1, 2])), pmt.PMT_NIL),
        pmt.cons(table, pmt.init_s16vector(3, [1, 2, 3])),
        pmt.cons(table, pmt.from_long(3)),
    ]
    for message in messages:
        try:
            pdu.parse(message)
        except ConfigError:
            continue
        raise AssertionError(f"{message} is a PDU after all")
    return messages
