# SPDX-License-Identifier: GPL-3.0-or-later
"""The one interface behind which every radio stands.

A radio makes two GNU Radio blocks: a sink that takes the transmit stream and a
source that gives the receive stream.  The sink has a message port ``status`` on
which it reports each job (stream tag ``job_end``) whose last sample it took.  A block
whose radio is lost sets its attribute ``failed`` to a :class:`RadioError`, which ends the
process with that line.
"""

from typing import Any, Protocol

from semcom_blocks.errors import RadioError
from semcom_blocks.radio.job import RadioJob


class Radio(Protocol):
    """A kind of radio, made from a job."""

    def __init__(self, job: RadioJob, argument: str) -> None:
        """``argument`` is what follows the colon in the radio's name."""

    def sink(self) -> Any:
        """A block with one complex input stream and the message port ``status``."""

    def source(self) -> Any:
        """A block with one complex output stream."""


def open_radio(job: RadioJob) -> Radio:
    """Make the radio that ``job.radio`` names; raises :class:`RadioError` for unknown names."""
    from semcom_blocks.radio.file import FileRadio
    from semcom_blocks.radio.sim import SimRadio

    kinds: dict[str, type[Radio]] = {"sim": SimRadio, "file": FileRadio}
    name, _, argument = job.radio.partition(":")
    if name not in kinds:
        raise RadioError(f"radio is {job.radio!r}, permitted: sim, file:PATH")
    return kinds[name](job, argument)
