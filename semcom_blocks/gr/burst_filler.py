# SPDX-License-Identifier: GPL-3.0-or-later
"""Burst Filler: silence between frames, for a radio that knows no bursts."""

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.errors import require_range
from semcom_blocks.gr import pdu

#: Samples of silence made in one call: a millisecond at 1 MS/s, so that what comes in meanwhile
#: does not wait long.
MAX_FILL = 1024
#: Longest ``tail_samples``: a second at 61.44 MS/s.
MAX_TAIL = 61_440_000


class BurstFiller(gr.basic_block):
    """Stream in, endless stream out: ``silence`` where nothing comes in, never inside a frame.

    The length of a frame is read from the tag ``frame_len`` on its first sample.  ``status``
    out reports a job (tag ``job_end``) once ``tail_samples`` have followed its last one: so
    many are on their way to the antenna.
    """

    def __init__(self, tail_samples: int = 0, silence: complex = 0.0) -> None:
        gr.basic_block.__init__(
            self, name="Burst Filler", in_sig=[np.complex64], out_sig=[np.complex64]
        )
        self._tail = int(require_range("tail_samples", tail_samples, 0, MAX_TAIL))
        self._silence = np.complex64(silence)
        self._frame_end = 0
        self._ends: list[tuple[int, int]] = []
        self.filled = 0
        self.message_port_register_out(pmt.intern("status"))
        self.set_tag_propagation_policy(gr.TPP_DONT)

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        """Inside a frame one sample is needed to go on, outside none."""
        return [1 if self.nitems_read(0) < self._frame_end else 0] * ninputs

    def general_work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Hand on what came, or fill; see :meth:`gr.basic_block.general_work`."""
        samples, out = input_items[0], output_items[0]
        read, written = self.nitems_read(0), self.nitems_written(0)
        n = min(len(samples), len(out))
        if n:
            out[:n] = samples[:n]
            for tag in self.get_tags_in_window(0, 0, n, pmt.intern("frame_len")):
                end = tag.offset + pmt.to_long(tag.value)
                self._frame_end = max(self._frame_end, end)
            for tag in self.get_tags_in_window(0, 0, n, pmt.intern("job_end")):
                due = written + (tag.offset - read) + self._tail
                self._ends.append((due, pmt.to_long(tag.value)))
            self.consume(0, n)
        elif read >= self._frame_end:
            n = min(len(out), MAX_FILL)
            out[:n] = self._silence
            self.filled += n
        self._report(written + n)
        return n

    def _report(self, written: int) -> None:
        while self._ends and self._ends[0][0] < written:
            _, job_id = self._ends.pop(0)
            status = {"job_id": job_id, "job_end": True}
            self.message_port_pub(pmt.intern("status"), pdu.make(status))
