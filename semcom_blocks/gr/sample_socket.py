# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples between two processes over ZeroMQ: the radio ``sim`` stands on these."""

import logging
import queue
from typing import Any

import numpy as np
import pmt
import zmq
from gnuradio import gr

from semcom_blocks import transport
from semcom_blocks.errors import WireError
from semcom_blocks.gr.base import GAP_KEY, report_job_end
from semcom_blocks.gr.socket_thread import SocketThread
from semcom_blocks.wire import Message

logger = logging.getLogger(__name__)

#: Samples of one message at most: 64 KiB, a few milliseconds at 1 MS/s.
MAX_SAMPLES = 8192
#: Messages on their way before the sender has to wait: bounds the latency of the air.
HIGH_WATER_MARK = 16
#: How long the receiving thread waits before it looks whether to stop.
WAIT_S = 0.05
#: Longest wait for the receiver inside one call of the scheduler, so that a stop is seen soon; it
#: is followed by a pause of 250 ms, so a receiver that is only slow must not exceed it.
SEND_WAIT_S = 0.5


def _open(kind: int, endpoint: str, bind: bool, allow_remote: bool) -> transport.MessageSocket:
    socket = transport.open_socket(
        zmq.Context.instance(),
        kind,
        **{"bind" if bind else "connect": endpoint},
        high_water_mark=HIGH_WATER_MARK,
        allow_remote=allow_remote,
    )
    return transport.MessageSocket(socket)


class SampleSink(gr.sync_block):
    """Stream in; PUSH at ``endpoint``; waits while the receiver is away or busy.

    It connects, or with ``bind`` is connected to.

    ``status`` out reports each job whose last sample was taken.
    """

    def __init__(
        self, endpoint: str = "tcp://127.0.0.1:5563", bind: bool = False, allow_remote: bool = False
    ) -> None:
        gr.sync_block.__init__(self, "Sample Sink", in_sig=[np.complex64], out_sig=None)
        self.message_port_register_out(pmt.intern("status"))
        self._socket = _open(zmq.PUSH, endpoint, bind, allow_remote)
        self._seq = 0

    def stop(self) -> bool:
        """Close; samples already handed over still go out."""
        self._socket.close(linger_s=0.5)
        return True

    def work(self, input_items: list[np.ndarray], output_items: list[Any]) -> int:
        """Send what came; see :meth:`gr.sync_block.work`."""
        samples = input_items[0][:MAX_SAMPLES]
        message = Message("samples", {"seq": self._seq}, {"samples": samples})
        if not self._socket.send(message, SEND_WAIT_S):
            return 0
        self._seq += 1
        report_job_end(self, len(samples))
        return len(samples)


class SampleSource(gr.sync_block):
    """Stream out; PULL bound at ``endpoint``, or without ``bind`` connected to it.

    ``lost`` counts gaps in the sequence, each of which puts the tag ``gap`` on the sample behind
    it; ``refused`` counts well-formed messages that hold no samples.

    A source without output is called again after 250 ms, too late for a radio; but a
    message on any port wakes it.  Hence a thread receives, and wakes.
    """

    def __init__(
        self, endpoint: str = "tcp://127.0.0.1:5563", allow_remote: bool = False, bind: bool = True
    ) -> None:
        gr.sync_block.__init__(self, "Sample Source", in_sig=None, out_sig=[np.complex64])
        self._socket = _open(zmq.PULL, endpoint, bind, allow_remote)
        self._queue: queue.Queue[tuple[bool, np.ndarray]] = queue.Queue(HIGH_WATER_MARK)
        self._left = np.zeros(0, np.complex64)
        self._expected: int | None = None
        self.lost = self.refused = 0
        self.message_port_register_in(pmt.intern("tick"))
        self.set_msg_handler(pmt.intern("tick"), self._on_tick)
        self._thread = SocketThread("samples", self._socket, self._serve)

    def start(self) -> bool:
        """Begin to receive."""
        self._thread.start()
        return True

    def stop(self) -> bool:
        """Stop receiving and close the socket."""
        self._thread.stop()
        return True

    def work(self, input_items: list[Any], output_items: list[np.ndarray]) -> int:
        """Hand out what arrived; see :meth:`gr.sync_block.work`."""
        if not len(self._left):
            try:
                gap, self._left = self._queue.get_nowait()
            except queue.Empty:
                return 0
            if gap:
                self.add_item_tag(0, self.nitems_written(0), pmt.intern(GAP_KEY), pmt.PMT_T)
        out = output_items[0]
        n = min(len(out), len(self._left))
        out[:n] = self._left[:n]
        self._left = self._left[n:]
        return n

    def _on_tick(self, _message: Any) -> None:
        """Nothing to do: the scheduler calls :meth:`work` after every message."""

    def _serve(self, socket: transport.MessageSocket) -> None:
        message = socket.receive(WAIT_S)
        if message is None:
            return
        lost = self.lost
        try:
            samples = self._checked(message)
        except WireError as error:
            self.refused += 1
            if self.refused & (self.refused - 1) == 0:  # a flood must not fill the log
                logger.warning("refused samples number %d: %s", self.refused, error)
            return
        self._enqueue(self.lost > lost, samples)

    def _enqueue(self, gap: bool, samples: np.ndarray) -> None:
        """Wait for room: then the socket's own queue fills up, and the sender waits."""
        while len(samples) and not self._thread.stopping:
            try:
                self._queue.put((gap, samples), timeout=WAIT_S)
            except queue.Full:
                continue
            self.to_basic_block()._post(pmt.intern("tick"), pmt.PMT_NIL)
            return

    def _checked(self, message: Message) -> np.ndarray:
        """The samples of a message, complex64 (n,); raises :class:`WireError`."""
        if message.kind != "samples":
            raise WireError(f"kind is {message.kind!r}, permitted: samples")
        samples, seq = message.array("samples", np.complex64, 1), message.value("seq", int)
        if self._expected is not None and seq not in (self._expected, 0):
            self.lost += 1
        self._expected = seq + 1
        return samples
