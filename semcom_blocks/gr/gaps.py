# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a radio lost received samples: stream tags ``gap``, which drop the frame across them."""

from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.errors import require_range
from semcom_blocks.gr.base import GAP_KEY

#: Key of the tag that gr-iio puts on the first sample of each libiio buffer.
BUFFER_KEY = "buffer"
#: Buffers that may lie between a report and its samples at most: as many as libiio may be lent.
MAX_BUFFERS = 64
#: Departure of a time stamp from the count of samples that is a gap, in samples.
SLACK = 0.5


class BufferGaps(gr.sync_block):
    """Stream in, stream out; a reported overflow lies at one of the next buffers' starts.

    A driver that only says that it lost samples does not say where.  It loses whole buffers,
    and those that were full by then are still to come: so ``gap`` goes onto the start of
    each of the next ``buffers`` (tag ``buffer``) and onto the sample that is handed on now.
    """

    def __init__(self, buffers: int = 5) -> None:
        gr.sync_block.__init__(self, "Buffer Gaps", in_sig=[np.complex64], out_sig=[np.complex64])
        self._buffers = int(require_range("buffers", buffers, 1, MAX_BUFFERS + 2))
        self._reports = self._seen = self._left = 0

    def report(self) -> None:
        """Samples were lost; called from any thread."""
        self._reports += 1

    def work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Copy, tagging; see :meth:`gr.sync_block.work`."""
        samples: Any = input_items[0]
        output_items[0][:] = samples
        if self._seen != self._reports:
            self._seen = self._reports
            self._left = self._buffers
            self._mark(self.nitems_read(0))
        if self._left:
            window = self.get_tags_in_window(0, 0, len(samples), pmt.intern(BUFFER_KEY))
            for tag in window[: self._left]:
                self._mark(tag.offset)
            self._left = max(0, self._left - len(window))
        return len(samples)

    def _mark(self, offset: int) -> None:
        self.add_item_tag(0, offset, pmt.intern(GAP_KEY), pmt.PMT_T)


class TimeGaps(gr.sync_block):
    """Stream in, stream out; ``gap`` where a time stamp (tag ``rx_time``) runs ahead of the count.

    ``overflows`` counts gaps, ``lost_samples`` what was lost in them.
    """

    def __init__(self, sample_rate_hz: float = 1e6) -> None:
        gr.sync_block.__init__(self, "Time Gaps", in_sig=[np.complex64], out_sig=[np.complex64])
        self._rate_hz = float(require_range("sample_rate_hz", sample_rate_hz, 1.0, 1e9))
        self._origin: tuple[int, int, float] | None = None
        self.overflows = self.lost_samples = 0

    def work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Copy, tagging; see :meth:`gr.sync_block.work`."""
        samples: Any = input_items[0]
        output_items[0][:] = samples
        for tag in self.get_tags_in_window(0, 0, len(samples), pmt.intern("rx_time")):
            seconds = pmt.to_uint64(pmt.tuple_ref(tag.value, 0))
            self._stamp(tag.offset, seconds, pmt.to_double(pmt.tuple_ref(tag.value, 1)))
        return len(samples)

    def _stamp(self, offset: int, seconds: int, fraction: float) -> None:
        if self._origin is not None:
            at, whole, part = self._origin
            passed = (seconds - whole + (fraction - part)) * self._rate_hz
            lost = passed - (offset - at)
            if abs(lost) > SLACK:
                self.overflows += 1
                self.lost_samples += max(0, round(lost))
                self.add_item_tag(0, offset, pmt.intern(GAP_KEY), pmt.PMT_T)
        # The last stamp: a tick that no float holds must not add up over hours.
        self._origin = (offset, seconds, fraction)
