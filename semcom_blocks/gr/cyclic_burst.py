# SPDX-License-Identifier: GPL-3.0-or-later
"""Cyclic Burst: one job, whole, for a radio that repeats it."""

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.errors import RadioError, require_range
from semcom_blocks.gr import pdu

#: Longest job that is repeated: a second at 61.44 MS/s.
MAX_LENGTH = 1 << 26


class CyclicBurst(gr.basic_block):
    """Stream in until the first job has ended (tag ``job_end``), then stream out.

    ``length`` samples once, silence behind the job: for a device that repeats its buffer.  Or,
    where ``length`` is None, the job over and over, as one burst (tag ``tx_sob``).  ``status``
    reports the job when it was given out once; ``failed`` says that it is too long.
    """

    def __init__(self, length: int | None = None) -> None:
        gr.basic_block.__init__(
            self, name="Cyclic Burst", in_sig=[np.complex64], out_sig=[np.complex64]
        )
        self._length = length
        self._most = int(require_range("length", length or MAX_LENGTH, 1, MAX_LENGTH))
        self._pieces: list[np.ndarray] = []
        self._collected = 0
        self._cycle: np.ndarray | None = None
        self._job_id = 0
        self.failed: RadioError | None = None
        self.message_port_register_out(pmt.intern("status"))
        self.set_tag_propagation_policy(gr.TPP_DONT)

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        """While it gives out it needs no input, before and behind one sample."""
        given = self.nitems_written(0)
        gives = self._cycle is not None and (self._length is None or given < self._length)
        return [0 if gives else 1] * ninputs

    def general_work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Collect, or give out; see :meth:`gr.basic_block.general_work`."""
        if self._cycle is None:
            self._collect(input_items[0])
        else:
            self.consume(0, len(input_items[0]))  # whatever came after is not sent
        return 0 if self._cycle is None else self._give(output_items[0])

    def _collect(self, samples: np.ndarray) -> None:
        n, read = len(samples), self.nitems_read(0)
        tags = self.get_tags_in_window(0, 0, n, pmt.intern("job_end"))
        stop = min((tag.offset - read for tag in tags), default=n)
        if self._collected + stop > self._most:
            self.failed = self.failed or RadioError(
                f"the job is longer than the buffer that is repeated, permitted: {self._most} "
                "samples (--buffer-samples)"
            )
        else:
            self._pieces.append(samples[:stop].copy())
            self._collected += stop
        self.consume(0, n)
        if tags and self.failed is None:
            job = np.concatenate(self._pieces)
            self._pieces.clear()
            self._job_id = pmt.to_long(tags[0].value)
            self._cycle = np.zeros(self._length or len(job), np.complex64)
            self._cycle[: len(job)] = job

    def _give(self, out: np.ndarray) -> int:
        assert self._cycle is not None
        given, period = self.nitems_written(0), len(self._cycle)
        at = given % period
        n = min(len(out), period - at)
        if self._length is not None:
            n = min(n, self._length - given)
        out[:n] = self._cycle[at : at + n]
        if n and not given:
            self.add_item_tag(0, 0, pmt.intern("tx_sob"), pmt.PMT_T)
        if given < period <= given + n:
            status = {"job_id": self._job_id, "job_end": True}
            self.message_port_pub(pmt.intern("status"), pdu.make(status))
        return n
