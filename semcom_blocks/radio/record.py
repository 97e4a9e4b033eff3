# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what is on the air: a recorder beside the stream, told what the radio is and does."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from semcom_blocks.gr.frame_recorder import FrameRecorder
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.radio.job import RadioJob
from semcom_blocks.recording import About

if TYPE_CHECKING:
    from semcom_blocks.radio.flowgraph import Flowgraph

#: Kinds of radio that have no front end, and so neither frequency nor gain.
WITHOUT_FRONT_END = ("sim", "file")


def about(job: RadioJob, numerology: Numerology, gain_db: float | None = None) -> About:
    """What a recording of this process's stream says about itself."""
    given = {}
    if job.radio.partition(":")[0] not in WITHOUT_FRONT_END:
        given = {"frequency_hz": job.front.center_freq_hz, "gain_db": gain_db}
    sizes = asdict(numerology)
    del sizes["sample_rate_hz"]
    what = {"tx": "what the radio was given to send", "rx": "what the radio received"}[job.role]
    extra: dict[str, Any] = {"role": job.role, "numerology": sizes}
    if job.role == "rx":
        extra |= {"estimator": job.estimator, "equalizer": job.equalizer}
    return About(
        numerology.sample_rate_hz,
        f"semantic communication: {what}",
        job.radio,
        **given,
        extra=extra,
    )


def add_recorder(
    top: "Flowgraph",
    job: RadioJob,
    numerology: Numerology,
    stream: Any,
    gain_db: float | None = None,
) -> FrameRecorder | None:
    """Record the output of ``stream``, which the radio's ``gain_db`` is for, if the job asks."""
    if job.recording is None:
        return None
    described = about(job, numerology, gain_db)
    recorder = FrameRecorder(job.recording.path, described, numerology, job.recording.max_bytes)
    top.chain(stream, recorder)
    return recorder
