# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio ``sim``: samples go over ZeroMQ from the sender's process to the receiver's."""

from semcom_blocks.errors import RadioError
from semcom_blocks.gr.sample_socket import SampleSink, SampleSource
from semcom_blocks.radio.job import RadioJob


class SimRadio:
    """The receiver binds the samples endpoint, the sender connects to it."""

    def __init__(self, job: RadioJob, argument: str) -> None:
        if argument:
            raise RadioError(f"radio is 'sim:{argument}', permitted: sim")
        self._job = job

    def sink(self) -> SampleSink:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        return SampleSink(self._job.endpoints.samples)

    def source(self) -> SampleSource:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        return SampleSource(self._job.endpoints.samples, self._job.allow_remote)
