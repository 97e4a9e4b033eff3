# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples in a SigMF pair: the radio ``file`` stands on these."""

import os
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks import sigmf
from semcom_blocks.errors import RadioError
from semcom_blocks.gr.base import EOF_KEY, GAP_KEY, report_job_end

#: What a block returns that takes or gives nothing more.
WORK_DONE = -1
#: Zero samples behind the recording, on which the end is tagged.
TAIL_SAMPLES = 64


class SigmfSink(gr.sync_block):
    """Stream in; ``status`` out.  The pair gets its name when the flowgraph stops, not before.

    Where the disk is full or gone, ``failed`` says so, nothing more is taken and the pair
    gets no name.
    """

    def __init__(self, path: str, sample_rate_hz: float, description: str = "") -> None:
        gr.sync_block.__init__(self, "SigMF Sink", in_sig=[np.complex64], out_sig=None)
        self.message_port_register_out(pmt.intern("status"))
        self._pair = sigmf.pair(path)
        self._pair.check_writable()
        self._partial = Path(f"{self._pair.data}.partial")
        self._about = (sample_rate_hz, description)
        self.failed: RadioError | None = None
        try:
            self._file = self._partial.open("wb")
        except OSError as error:
            raise self._lost(error) from None

    def stop(self) -> bool:
        """Close the data file and write the metadata."""
        if self._file.closed:
            return True
        try:
            self._file.close()
            if self.failed is None:
                os.replace(self._partial, self._pair.data)
                self._pair.write_meta(*self._about)
        except OSError as error:
            self.failed = self.failed or self._lost(error)
        return True

    def work(self, input_items: list[np.ndarray], output_items: list[Any]) -> int:
        """Append what came; see :meth:`gr.sync_block.work`."""
        samples = input_items[0]
        try:
            self._file.write(samples.astype("<c8", copy=False).tobytes())
        except OSError as error:
            self.failed = self._lost(error)
            return WORK_DONE
        report_job_end(self, len(samples))
        return len(samples)

    def _lost(self, error: OSError) -> RadioError:
        return RadioError(f"radio file:{self._pair.data} cannot be written: {error.strerror}")


class SigmfSource(gr.sync_block):
    """Stream out; the sample behind the last one carries the tag ``eof``.

    Every capture of the recording but the first begins behind a gap, and carries that tag.
    """

    def __init__(self, path: str, sample_rate_hz: float) -> None:
        gr.sync_block.__init__(self, "SigMF Source", in_sig=None, out_sig=[np.complex64])
        recording = sigmf.pair(path)
        recording.check_meta(sample_rate_hz)
        self._samples = recording.samples()
        self._gaps = deque(recording.gaps())
        self._at = 0
        self._tail = TAIL_SAMPLES

    def work(self, input_items: list[Any], output_items: list[np.ndarray]) -> int:
        """Hand out the recording, then its end; see :meth:`gr.sync_block.work`."""
        out = output_items[0]
        n = min(len(out), len(self._samples) - self._at)
        if n:
            out[:n] = self._samples[self._at : self._at + n]
            self._at += n
            while self._gaps and self._gaps[0] < self._at:
                self.add_item_tag(0, self._gaps.popleft(), pmt.intern(GAP_KEY), pmt.PMT_T)
            return n
        n = min(len(out), self._tail)
        if n:
            out[:n] = 0
            if n == self._tail:
                self.add_item_tag(0, self.nitems_written(0), pmt.intern(EOF_KEY), pmt.PMT_T)
            self._tail -= n
            return n
        # Behind the end the scheduler calls again every 250 ms, until it is stopped.
        return 0
