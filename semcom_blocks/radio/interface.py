# SPDX-License-Identifier: GPL-3.0-or-later
"""The one interface behind which every radio stands.

A radio makes two GNU Radio blocks: a sink that takes the transmit stream and a
source that gives the receive stream.  The sink has a message port ``status`` on
which it reports each job (stream tag ``job_end``) whose last sample it took.  A block
whose radio is lost sets its attribute ``failed`` to a :class:`RadioError`, which ends the
process with that line.

A radio with a device behind it also tells the sample rate that the device reports, and
how it fares: ``poll`` is called some times a second.
"""

from typing import Any

from semcom_blocks.errors import RadioError
from semcom_blocks.radio.job import RadioJob


class Radio:
    """A kind of radio, made from a job."""

    #: Whether a device is behind it, to be watched.
    is_device = False

    def __init__(self, job: RadioJob, argument: str) -> None:
        """``argument`` is what follows the colon in the radio's name."""
        raise NotImplementedError

    @property
    def sample_rate_hz(self) -> float | None:
        """What the device reports; ``None`` where the job's own rate holds."""
        return None

    @property
    def gains_db(self) -> dict[str, float]:
        """Gains of the opened directions, ``tx`` and ``rx``, as they were set."""
        return {}

    def sink(self) -> Any:
        """A block with one complex input stream and the message port ``status``."""
        raise NotImplementedError

    def source(self) -> Any:
        """A block with one complex output stream."""
        raise NotImplementedError

    def poll(self) -> None:
        """Look how the device fares; raises :class:`RadioError` if it is lost."""

    def flows(self) -> list[tuple[str, int, bool]]:
        """Each open direction: its name, samples so far, and whether more must come now."""
        return []

    def counters(self) -> dict[str, int]:
        """What went wrong so far: overflows, underflows, late bursts, …"""
        return {}


def open_radio(job: RadioJob) -> Radio:
    """Make the radio that ``job.radio`` names; raises :class:`RadioError` for unknown names."""
    from semcom_blocks.radio.file import FileRadio
    from semcom_blocks.radio.sim import SimRadio

    name, _, argument = job.radio.partition(":")
    if name == "pluto":
        from semcom_blocks.radio.pluto import PlutoRadio

        return PlutoRadio(job, argument)
    if name == "usrp":
        from semcom_blocks.radio.usrp import UsrpRadio

        return UsrpRadio(job, argument)
    kinds: dict[str, type[Radio]] = {"sim": SimRadio, "file": FileRadio}
    if name not in kinds:
        raise RadioError(f"radio is {job.radio!r}, permitted: sim, file:PATH, pluto:URI, usrp:ARGS")
    return kinds[name](job, argument)
