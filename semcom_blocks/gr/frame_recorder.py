# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame Recorder: a stream into a SigMF recording, with a note for each of its frames."""

from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.errors import RadioError
from semcom_blocks.gr import pdu
from semcom_blocks.gr.base import EOF_KEY, GAP_KEY, guarded
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.recording import About, FrameNote, RecordingWriter
from semcom_blocks.recording.notes import bad_header, preamble_start
from semcom_blocks.recording.writer import DEFAULT_LIMIT_BYTES


class FrameRecorder(gr.sync_block):
    """Stream in; ``frames`` in (from an Equalizer), ``bad`` in (from Frame Sync).

    A receiver's frames come by the ports, with what was measured; a sender's by the stream tag
    ``header``.  The tag ``gap`` begins another capture.  At ``max_bytes`` and where the disk is
    full the recording ends and the stream goes on; ``failed`` says why it got no name.
    """

    def __init__(
        self,
        path: str,
        about: About,
        numerology: Numerology | None = None,
        max_bytes: int = DEFAULT_LIMIT_BYTES,
    ) -> None:
        gr.sync_block.__init__(self, "Frame Recorder", in_sig=[np.complex64], out_sig=None)
        self._writer = RecordingWriter(path, about, max_bytes)
        self._numerology = numerology or Numerology()
        self.refused = 0
        for port, take in (("frames", self._on_frame), ("bad", self._on_bad)):
            self.message_port_register_in(pmt.intern(port))
            self.set_msg_handler(pmt.intern(port), take)

    @property
    def failed(self) -> RadioError | None:
        """Why the recording could not get its name, None while all is well."""
        return self._writer.error

    def stop(self) -> bool:
        """Give the recording its name."""
        self._writer.close()
        return True

    def work(self, input_items: list[np.ndarray], output_items: list[Any]) -> int:
        """Append what came; see :meth:`gr.sync_block.work`."""
        samples = input_items[0]
        for tag in self.get_tags_in_window(0, 0, len(samples)):
            if pmt.eq(tag.key, pmt.intern(GAP_KEY)) and tag.offset:
                self._writer.gap(tag.offset)
            elif pmt.eq(tag.key, pmt.intern("header")):
                guarded(self, lambda tag=tag: self._on_tag(tag))
        self._writer.write(samples)
        return len(samples)

    def _on_tag(self, tag: Any) -> None:
        header = FrameHeader.from_bytes(pdu.from_pmt(tag.value).tobytes())
        self._writer.note(FrameNote.of(header, self._numerology, tag.offset))

    def _on_frame(self, message: Any) -> None:
        guarded(self, lambda: self._take_frame(*pdu.parse(message)))

    def _take_frame(self, meta: dict[str, Any], _symbols: np.ndarray) -> None:
        if meta.get(EOF_KEY):
            return
        header = FrameHeader.from_bytes(meta["header"].tobytes())
        start = preamble_start(meta["start_sample"], self._numerology)
        self._writer.note(FrameNote.of(header, self._numerology, start, meta))

    def _on_bad(self, message: Any) -> None:
        guarded(self, lambda: self._take_bad(*pdu.parse(message)))

    def _take_bad(self, meta: dict[str, Any], _nothing: np.ndarray) -> None:
        note = bad_header(self._numerology, meta["start_sample"], meta["cfo_hz"])
        self._writer.note(note)
