# SPDX-License-Identifier: GPL-3.0-or-later
"""OFDM Modulator: grids in, an endless stream of bursts out."""

from collections import deque
from functools import partial
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.errors import ConfigError, require_range
from semcom_blocks.gr import pdu
from semcom_blocks.gr.base import EOF_KEY, guarded
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.measure import mean_power, papr_db
from semcom_blocks.phy.modulator import TransmitLevel, modulate
from semcom_blocks.phy.numerology import Numerology

#: Zero samples around a burst, so that a receiver that works in blocks sees its end.
DEFAULT_GAP_SAMPLES = 12_000
#: A second at 1 MS/s; the least is one, since the tags of a burst stand on its gaps.
MAX_GAP_SAMPLES = 1_000_000
#: Zero samples that follow the end of a job: filters on the way hold some samples back, and the
#: tag behind which nothing came would never be seen.
JOB_END_MARGIN = 512


class OfdmModulator(gr.sync_block):
    """Ports: ``grid`` in (c32 PDU), stream out, ``status`` out.

    Tags: ``tx_sob`` and ``tx_eob`` on the first and last sample of a burst with its
    gaps, ``frame`` (sequence number), ``frame_len`` (samples) and ``header`` (u8) at the start of
    each frame, ``job_end`` (job number) behind the last sample of a job.  ``urgent`` frames
    overtake the others and keep their own order.
    ``max_waiting``: of the others the oldest are dropped beyond it; None keeps all.
    """

    def __init__(
        self,
        numerology: Numerology | None = None,
        power: float = 1.0,
        papr_limit_db: float | None = None,
        gap_samples: int = DEFAULT_GAP_SAMPLES,
        max_waiting: int | None = None,
    ) -> None:
        gr.sync_block.__init__(self, "OFDM Modulator", in_sig=None, out_sig=[np.complex64])
        self._numerology = numerology or Numerology()
        self.set_level(power, papr_limit_db)
        gap_samples = int(require_range("gap_samples", gap_samples, 1, MAX_GAP_SAMPLES))
        self._gap = np.zeros(gap_samples, np.complex64)
        self.refused = 0
        self._urgent: deque[tuple[FrameHeader, np.ndarray, bool]] = deque()
        self._waiting: deque[tuple[FrameHeader, np.ndarray, bool]] = deque(maxlen=max_waiting)
        self._pieces: deque[tuple[np.ndarray, list[tuple[int, str, Any]]]] = deque()
        self._in_burst = False
        self.message_port_register_in(pmt.intern("grid"))
        self.message_port_register_out(pmt.intern("status"))
        self.set_msg_handler(pmt.intern("grid"), self._on_message)

    def set_level(self, power: float, papr_limit_db: float | None = None) -> None:
        """Mean power and peak limit, from the next frame on."""
        self._level = TransmitLevel(power, papr_limit_db)

    def _on_message(self, message: Any) -> None:
        guarded(self, partial(self._take, message))

    def _take(self, message: Any) -> None:
        """Queue a grid; all of it is checked here, so that :meth:`work` cannot fail."""
        meta, vector = pdu.parse(message)
        if meta.get(EOF_KEY):
            return
        header = FrameHeader.from_bytes(meta["header"].tobytes())
        shape = (FrameLayout(self._numerology, header).n_symbols, self._numerology.n_used)
        if vector.dtype != np.complex64 or len(vector) != shape[0] * shape[1]:
            found = f"{vector.dtype} ({len(vector)},)"
            raise ConfigError(f"grid is {found}, permitted by the header: complex64 {shape}")
        queue = self._urgent if meta.get("urgent") else self._waiting
        queue.append((header, vector.reshape(shape), bool(meta.get("job_end"))))

    def _next_piece(self) -> None:
        """Modulate one waiting frame, or close the burst with a gap."""
        if not self._urgent and not self._waiting:
            if self._in_burst:
                self._in_burst = False
                self._pieces.append((self._gap, [(len(self._gap) - 1, "tx_eob", True)]))
            return
        header, grid, job_end = (self._urgent or self._waiting).popleft()
        samples = modulate(grid, self._numerology, self._level)
        tags: list[tuple[int, str, Any]] = [
            (0, "frame", header.seq),
            (0, "frame_len", len(samples)),
            (0, "header", np.frombuffer(header.to_bytes(), np.uint8)),
        ]
        if not self._in_burst:
            self._in_burst = True
            self._pieces.append((self._gap, [(0, "tx_sob", True)]))
        self._pieces.append((samples, tags))
        if not header.ack:  # that one has the number of a job of the other side
            status = {"job_id": header.job_id, "seq": header.seq, "end": header.end}
            status["frame_samples"] = len(samples)
            status |= {"power": mean_power(samples), "papr_db": papr_db(samples)}
            self.message_port_pub(pmt.intern("status"), pdu.make(status))
        if job_end:
            self._in_burst = False
            margin = np.zeros(JOB_END_MARGIN, np.complex64)
            marks = [(0, "job_end", header.job_id), (JOB_END_MARGIN - 1, "tx_eob", True)]
            self._pieces.extend([(self._gap, []), (margin, marks)])

    def work(self, input_items: list[Any], output_items: list[np.ndarray]) -> int:
        """Fill the output with what there is; see :meth:`gr.sync_block.work`."""
        out, done = output_items[0], 0
        while done < len(out):
            if not self._pieces:
                self._next_piece()
            if not self._pieces:
                break
            samples, tags = self._pieces.popleft()
            n = min(len(samples), len(out) - done)
            out[done : done + n] = samples[:n]
            at = self.nitems_written(0) + done
            for offset, key, value in tags:
                if offset < n:
                    self.add_item_tag(0, at + offset, pmt.intern(key), pdu.to_pmt(value))
            if n < len(samples):
                rest = [(offset - n, key, value) for offset, key, value in tags if offset >= n]
                self._pieces.appendleft((samples[n:], rest))
            done += n
        # Without output the scheduler waits for 250 ms or the next grid.
        return done
