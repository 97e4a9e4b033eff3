# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame Sync: a stream in, one PDU per frame out."""

from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.gr import pdu
from semcom_blocks.gr.base import EOF_KEY, GAP_KEY
from semcom_blocks.phy.measure import power_spectrum
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.sync import Capture, FrameSync


class FrameSyncBlock(gr.sync_block):
    """Stream in, ``frames`` out (c32 PDU: the frame from its first long symbol on).

    The dictionary holds header, cfo_hz, start_sample, power_dbfs and the spectrum.
    ``bad`` out: start_sample and cfo_hz of a preamble whose header could not be read.
    A stream tag ``eof`` flushes the synchroniser and is passed on as a PDU; ``gap``
    marks a sample before which the radio lost some, and drops the frame across it.

    Frames of data and acknowledgements never mix: ``acks`` lets only the latter through, and
    ``foreign`` counts frames of the other kind, as a radio hears that hears itself.
    """

    def __init__(self, numerology: Numerology | None = None, acks: bool = False) -> None:
        gr.sync_block.__init__(self, "Frame Sync", in_sig=[np.complex64], out_sig=None)
        self._numerology = numerology or Numerology()
        self._acks = acks
        self.foreign = 0
        self._sync = FrameSync(self._numerology)
        self.message_port_register_out(pmt.intern("frames"))
        self.message_port_register_out(pmt.intern("bad"))

    @property
    def counters(self) -> dict[str, int]:
        """What the synchroniser saw so far."""
        return dict(vars(self._sync.counters))

    def work(self, input_items: list[np.ndarray], output_items: list[Any]) -> int:
        """Push what came; see :meth:`gr.sync_block.work`."""
        samples, read = input_items[0], self.nitems_read(0)
        tags = self.get_tags_in_window(0, 0, len(samples), pmt.intern(GAP_KEY))
        for capture in self._sync.push(samples, sorted({tag.offset - read for tag in tags})):
            self._publish(capture)
        while self._sync.bad_headers:
            bad = self._sync.bad_headers.popleft()
            meta = {"start_sample": bad.long_position, "cfo_hz": bad.cfo_hz}
            self.message_port_pub(pmt.intern("bad"), pdu.make(meta))
        if self.get_tags_in_window(0, 0, len(samples), pmt.intern(EOF_KEY)):
            for capture in self._sync.flush():
                self._publish(capture)
            self.message_port_pub(pmt.intern("frames"), pdu.make({EOF_KEY: True}))
        return len(samples)

    def _publish(self, capture: Capture) -> None:
        if capture.header.ack != self._acks:
            self.foreign += 1
            return
        _, psd_db = power_spectrum(capture.samples, self._numerology.sample_rate_hz)
        meta = {
            "header": capture.header.to_bytes(),
            "cfo_hz": capture.cfo_hz,
            "start_sample": capture.start_sample,
            "power_dbfs": capture.power_dbfs,
            "psd_db": psd_db,
        }
        self.message_port_pub(pmt.intern("frames"), pdu.make(meta, capture.samples))
