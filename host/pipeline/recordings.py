# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings as commands see them: where one goes, and what one that exists says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.config import RunConfig
from semcom_blocks import sigmf
from semcom_blocks.errors import ConfigError, RadioError
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.recording import FrameNote
from semcom_blocks.recording.notes import NAMESPACE


def place(run: RunConfig) -> RunConfig:
    """``run`` with a name for its recording that nothing has yet, in a folder that exists."""
    if run.recording.path is None:
        return run
    wanted = Path(run.recording.path).absolute()
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"folder {str(wanted.parent)!a} cannot be made ({reason}), permitted: a writable folder"
        ) from None
    found = sigmf.unused(sigmf.pair(str(wanted)))
    found.check_writable("recording")
    path = str(found.data).removesuffix(".sigmf-data")
    recording = run.recording.model_copy(update={"path": path})
    return run.model_copy(update={"recording": recording})


def written(run: RunConfig) -> list[sigmf.SigmfPair]:
    """The recordings of a run that is over: several if its radio had to be started again."""
    if run.recording.path is None:
        return []
    first = sigmf.pair(run.recording.path)
    stem = first.data.name.removesuffix(".sigmf-data")
    later = first.data.parent.glob(f"{_literal(stem)}-[0-9]*.sigmf-data")
    pairs = [first, *(sigmf.pair(str(path)) for path in sorted(later))]
    return [pair for pair in pairs if pair.data.exists() and pair.meta.exists()]


def ended_early(pair: sigmf.SigmfPair) -> str | None:
    """Why a recording ended before its run did, None if it did not."""
    why = pair.read_meta().get(f"{NAMESPACE}:ended")
    return None if why is None else str(why)


def _literal(name: str) -> str:
    """``name`` as a glob pattern that matches it alone."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


@dataclass(frozen=True)
class Recorded:
    """A recording: its pair, its rate, how it was made, and its frames in order."""

    pair: sigmf.SigmfPair
    sample_rate_hz: float
    samples: int
    numerology: dict[str, int] | None
    fields: dict[str, Any]
    frames: tuple[FrameNote, ...]

    @classmethod
    def read(cls, path: Path) -> Recorded:
        """Check all of a recording; :class:`RadioError`, one line, if it is of no use here."""
        pair = sigmf.pair(str(path))
        fields = pair.read_meta()
        rate = fields.get("core:sample_rate")
        if not isinstance(rate, (int, float)) or isinstance(rate, bool):
            raise RadioError(f"{pair.meta} has sample rate {rate!a}, permitted: a number in Hz")
        samples = pair.count()
        own = fields.get(f"{NAMESPACE}:numerology")
        if own is not None:
            try:
                Numerology(**own, sample_rate_hz=rate)
            except (TypeError, ConfigError) as error:
                raise RadioError(f"{pair.meta} has a numerology of no use: {error}") from None
        annotations = pair.read_document()["annotations"]
        notes = (FrameNote.from_annotation(annotation) for annotation in annotations)
        frames = tuple(note for note in notes if note is not None)
        return cls(pair, float(rate), samples, own, fields, frames)

    def defaults(self) -> dict[str, Any]:
        """Settings of a run, by dotted name, that receive it as it was made.

        Of a recording by other software nothing is known but its rate, which has to fit.
        """
        if self.numerology is None:
            return {}
        sizes = {f"numerology.{name}": value for name, value in self.numerology.items()}
        made = {"radio.sample_rate_hz": self.sample_rate_hz}
        for name in ("estimator", "equalizer"):
            if isinstance(value := self.fields.get(f"{NAMESPACE}:{name}"), str):
                made[f"radio.{name}"] = value
        return sizes | made

    def jobs(self) -> set[int]:
        """Numbers of the jobs whose frames it holds."""
        return {frame.job_id for frame in self.frames if frame.job_id is not None}
