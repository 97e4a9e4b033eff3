# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of what was on the air: SigMF pairs with one annotation per frame."""

from semcom_blocks.recording.notes import FrameNote
from semcom_blocks.recording.writer import About, RecordingWriter

__all__ = ["About", "FrameNote", "RecordingWriter"]
