# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio ``file:PATH``: samples go to or come from a SigMF pair."""

from semcom_blocks.errors import RadioError
from semcom_blocks.gr.sigmf_file import SigmfSink, SigmfSource
from semcom_blocks.radio.interface import Radio
from semcom_blocks.radio.job import RadioJob


class FileRadio(Radio):
    """``PATH.sigmf-meta`` and ``PATH.sigmf-data``."""

    def __init__(self, job: RadioJob, argument: str) -> None:
        if not argument:
            raise RadioError("radio is 'file:', permitted: file:PATH")
        self._path = argument
        self._rate_hz = job.numerology.sample_rate_hz

    def sink(self) -> SigmfSink:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        return SigmfSink(self._path, self._rate_hz, "semantic communication burst")

    def source(self) -> SigmfSource:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        return SigmfSource(self._path, self._rate_hz)
