# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples between two processes over ZeroMQ: the radio ``sim`` stands on these."""

import logging
from typing import Any

import numpy as np
import pmt
import zmq
from gnuradio import gr

from semcom_blocks import transport
from semcom_blocks.errors import WireError
from semcom_blocks.gr import pdu
from semcom_blocks.wire import Message

logger = logging.getLogger(__name__)

#: Samples of one message at most: 64 KiB, a few milliseconds at 1 MS/s.
MAX_SAMPLES = 8192
#: Messages on their way before the sender has to wait: bounds the latency of the air.
HIGH_WATER_MARK = 16
#: Longest wait inside one call of the scheduler, so that a stop is seen soon.
WAIT_S = 0.05


def report_job_end(block: gr.sync_block, n: int) -> None:
    """Publish a status for every ``job_end`` tag within the next ``n`` samples of input 0."""
    for tag in block.get_tags_in_window(0, 0, n, pmt.intern("job_end")):
        status = {"job_id": pmt.to_long(tag.value), "job_end": True}
        block.message_port_pub(pmt.intern("status"), pdu.make(status))


class SampleSink(gr.sync_block):
    """Stream in; PUSH connected to ``endpoint``; waits while the receiver is away or busy.

    ``status`` out reports each job whose last sample was taken.
    """

    def __init__(self, endpoint: str = "tcp://127.0.0.1:5563") -> None:
        gr.sync_block.__init__(self, "Sample Sink", in_sig=[np.complex64], out_sig=None)
        self.message_port_register_out(pmt.intern("status"))
        socket = transport.open_socket(
            zmq.Context.instance(), zmq.PUSH, connect=endpoint, high_water_mark=HIGH_WATER_MARK
        )
        self._socket = transport.MessageSocket(socket)
        self._seq = 0

    def stop(self) -> bool:
        """Close; samples already handed over still go out."""
        self._socket.close(linger_s=0.5)
        return True

    def work(self, input_items: list[np.ndarray], output_items: list[Any]) -> int:
        """Send what came; see :meth:`gr.sync_block.work`."""
        samples = input_items[0][:MAX_SAMPLES]
        message = Message("samples", {"seq": self._seq}, {"samples": samples})
        if not self._socket.send(message, WAIT_S):
            return 0
        self._seq += 1
        report_job_end(self, len(samples))
        return len(samples)


class SampleSource(gr.sync_block):
    """Stream out; PULL bound at ``endpoint``.

    ``lost`` counts gaps in the sequence, ``refused`` well-formed messages that hold no samples.
    """

    def __init__(self, endpoint: str = "tcp://127.0.0.1:5563", allow_remote: bool = False) -> None:
        gr.sync_block.__init__(self, "Sample Source", in_sig=None, out_sig=[np.complex64])
        socket = transport.open_socket(
            zmq.Context.instance(),
            zmq.PULL,
            bind=endpoint,
            high_water_mark=HIGH_WATER_MARK,
            allow_remote=allow_remote,
        )
        self._socket = transport.MessageSocket(socket)
        self._left = np.zeros(0, np.complex64)
        self._expected: int | None = None
        self.lost = self.refused = 0

    def stop(self) -> bool:
        """Close the socket."""
        self._socket.close()
        return True

    def work(self, input_items: list[Any], output_items: list[np.ndarray]) -> int:
        """Hand out what arrived; see :meth:`gr.sync_block.work`."""
        if not len(self._left):
            message = self._socket.receive(WAIT_S)
            if message is None:
                return 0
            try:
                self._take(message)
            except WireError as error:
                self.refused += 1
                if self.refused & (self.refused - 1) == 0:  # a flood must not fill the log
                    logger.warning("refused samples number %d: %s", self.refused, error)
                return 0
        out = output_items[0]
        n = min(len(out), len(self._left))
        out[:n] = self._left[:n]
        self._left = self._left[n:]
        return n

    def _take(self, message: Message) -> None:
        if message.kind != "samples":
            raise WireError(f"kind is {message.kind!r}, permitted: samples")
        samples, seq = message.array("samples", np.complex64, 1), message.value("seq", int)
        if self._expected is not None and seq not in (self._expected, 0):
            self.lost += 1
        self._expected = seq + 1
        self._left = samples
