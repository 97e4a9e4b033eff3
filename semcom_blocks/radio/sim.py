# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio ``sim``: samples go over ZeroMQ from the sender's process to the receiver's, and back."""

from semcom_blocks.errors import RadioError
from semcom_blocks.gr.sample_socket import SampleSink, SampleSource
from semcom_blocks.radio.interface import Radio
from semcom_blocks.radio.job import RadioJob


class SimRadio(Radio):
    """The receiver binds both endpoints, the sender connects to them.

    ``samples`` carries what the sender sends, ``return_samples`` what the receiver does.
    """

    def __init__(self, job: RadioJob, argument: str) -> None:
        if argument:
            raise RadioError(f"radio is 'sim:{argument}', permitted: sim")
        self._job = job

    def sink(self) -> SampleSink:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        job = self._job
        if job.role == "tx":
            return SampleSink(job.endpoints.samples)
        return SampleSink(job.endpoints.return_samples, True, job.allow_remote)

    def source(self) -> SampleSource:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        job = self._job
        if job.role == "rx":
            return SampleSource(job.endpoints.samples, job.allow_remote)
        return SampleSource(job.endpoints.return_samples, bind=False)
