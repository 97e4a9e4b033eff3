# SPDX-License-Identifier: GPL-3.0-or-later
"""Burst Reporter: what a radio that knows bursts says about them."""

import time
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.gr import pdu
from semcom_blocks.gr.base import Ticker

#: How long an acknowledgement of a burst may take after its last sample was handed over; then
#: the job is taken for sent, since the message may have been lost.
ACK_WAIT_S = 2.0
#: How often that is looked at.
TICK_S = 0.1
#: Events of the driver that are counted, under these names.
COUNTED = {
    "underflow": "underflows",
    "underflow_in_packet": "underflows",
    "seq_error": "sequence_errors",
    "seq_error_in_burst": "sequence_errors",
    "time_error": "late",
}


class BurstReporter(gr.sync_block):
    """Stands before gr-uhd's sink: stream in, stream out, ``async_msgs`` in, ``status`` out.

    ``status`` reports a job (tag ``job_end``) when the radio has acknowledged the burst
    (tag ``tx_eob``) that holds its end.  ``counters`` counts underflows, late bursts and
    sequence errors.
    """

    def __init__(self) -> None:
        gr.sync_block.__init__(
            self, "Burst Reporter", in_sig=[np.complex64], out_sig=[np.complex64]
        )
        self.counters = dict.fromkeys(sorted(set(COUNTED.values())), 0)
        self.bursts_sent = self.bursts_acked = 0
        self._ends: list[tuple[int, int, float]] = []
        self.message_port_register_in(pmt.intern("async_msgs"))
        self.message_port_register_out(pmt.intern("status"))
        self.set_msg_handler(pmt.intern("async_msgs"), self._on_event)
        self.message_port_register_in(pmt.intern("tick"))
        self.set_msg_handler(pmt.intern("tick"), self._on_tick)
        self._ticker = Ticker(self, TICK_S)

    def start(self) -> bool:
        """Called by the scheduler."""
        self._ticker.start()
        return True

    def stop(self) -> bool:
        """Called by the scheduler."""
        self._ticker.stop()
        return True

    def work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Copy, and note ends of bursts and jobs; see :meth:`gr.sync_block.work`."""
        samples: Any = input_items[0]
        output_items[0][:] = samples
        found = self.get_tags_in_window(0, 0, len(samples))
        for tag in sorted(found, key=lambda tag: tag.offset):
            key = pmt.symbol_to_string(tag.key)
            if key == "tx_eob":
                self.bursts_sent += 1
            elif key == "job_end":
                end = (self.bursts_sent + 1, pmt.to_long(tag.value), time.monotonic())
                self._ends.append(end)
        return len(samples)

    def _on_tick(self, _message: Any) -> None:
        self._report(time.monotonic() - ACK_WAIT_S)

    def _on_event(self, message: Any) -> None:
        try:
            codes = pmt.dict_ref(pmt.cdr(message), pmt.intern("event_code"), pmt.PMT_NIL)
            names = [pmt.symbol_to_string(pmt.nth(i, codes)) for i in range(pmt.length(codes))]
        except (RuntimeError, ValueError, TypeError):
            return
        for name in names:
            if name in COUNTED:
                self.counters[COUNTED[name]] += 1
            elif name == "burst_ack":
                self.bursts_acked += 1
        self._report(-1.0)

    def _report(self, overdue_s: float) -> None:
        while self._ends:
            burst, job_id, since_s = self._ends[0]
            if self.bursts_acked < burst and since_s > overdue_s:
                return
            self._ends.pop(0)
            status = {"job_id": job_id, "job_end": True}
            self.message_port_pub(pmt.intern("status"), pdu.make(status))
