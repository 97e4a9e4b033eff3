# SPDX-License-Identifier: GPL-3.0-or-later
"""SigMF pairs (SigMF 1.0): ``NAME.sigmf-meta`` beside ``NAME.sigmf-data``."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semcom_blocks import __version__
from semcom_blocks.errors import RadioError

#: Datatypes that are read, with the factor that brings full scale to 1.
DATATYPES = {
    "cf32_le": (np.dtype("<c8"), 1.0),
    "cf32": (np.dtype("<c8"), 1.0),
    "ci16_le": (np.dtype("<i2"), 1.0 / 32768),
    "ci16": (np.dtype("<i2"), 1.0 / 32768),
    "ci8": (np.dtype("i1"), 1.0 / 128),
}
#: Relative deviation of the recording's rate that counts as the same rate.
RATE_TOLERANCE = 1e-3
#: With a note for each of 100,000 frames metadata are 40 MB; a larger file is something else.
MAX_META_BYTES = 1 << 26
#: Where our own recordings say how many samples they have.
SAMPLES_KEY = "semcom:samples"
#: Numbers that a name may get before :func:`unused` gives up.
MAX_NUMBERED = 10_000
#: Characters of an odd value that an error shows.
MAX_SHOWN = 80


@dataclass(frozen=True)
class SigmfPair:
    """The two paths of a recording."""

    meta: Path
    data: Path

    def check_writable(self, kind: str = "radio") -> None:
        """Raise :class:`RadioError` if the pair's folder does not exist or is read-only."""
        folder = self.data.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise RadioError(f"{kind} file:{self.data} has no writable folder {folder}")

    def read_document(self) -> dict[str, Any]:
        """All metadata, with a list of objects each for captures and annotations.

        Raises :class:`RadioError` naming what is missing or wrong.
        """
        try:
            if self.meta.stat().st_size > MAX_META_BYTES:
                raise RadioError(f"{self.meta} is larger than {MAX_META_BYTES} bytes")
            document = json.loads(self.meta.read_text(encoding="utf-8"))
            fields = document["global"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RadioError(f"{self.meta} is not SigMF metadata: {error}") from None
        if not isinstance(fields, dict):
            raise RadioError(f"{self.meta} is not SigMF metadata: global is not an object")
        for part in ("captures", "annotations"):
            segments = document.setdefault(part, [])
            if not isinstance(segments, list) or not all(map(_is_segment, segments)):
                text = f"{part} are not a list of objects with a core:sample_start"
                raise RadioError(f"{self.meta} is not SigMF metadata: {text}")
        return document

    def read_meta(self) -> dict[str, Any]:
        """Global metadata; raises :class:`RadioError` naming what is missing or wrong."""
        fields = self.read_document()["global"]
        found = fields.get("core:datatype")
        if not isinstance(found, str) or found not in DATATYPES:
            shown = ascii(found)[:MAX_SHOWN]
            raise RadioError(f"{self.meta} has datatype {shown}, permitted: {sorted(DATATYPES)}")
        return fields

    def check_meta(self, sample_rate_hz: float) -> None:
        """Raise :class:`RadioError` unless the recording has this rate (0.1 % tolerance)."""
        rate = self.read_meta().get("core:sample_rate")
        known = isinstance(rate, (int, float)) and not isinstance(rate, bool)
        if not known or not abs(rate - sample_rate_hz) <= RATE_TOLERANCE * sample_rate_hz:
            wanted = f"{sample_rate_hz:g} Hz within 0.1 %"
            shown = ascii(rate)[:MAX_SHOWN]
            raise RadioError(f"{self.meta} has sample rate {shown}, permitted: {wanted}")

    def count(self) -> int:
        """Samples of the recording; :class:`RadioError` unless they are all there."""
        dtype, _ = DATATYPES[self.read_meta()["core:datatype"]]
        item = 8 if dtype.kind == "c" else 2 * dtype.itemsize
        try:
            size = self.data.stat().st_size
        except OSError as error:
            raise RadioError(f"{self.data} cannot be read: {error.strerror}") from None
        if size == 0 or size % item:
            raise RadioError(f"{self.data} has {size} bytes, permitted: multiples of {item}")
        self._check_whole(size // item)
        return size // item

    def samples(self) -> np.ndarray:
        """The recording, complex64 (n,), memory-mapped where its type allows it."""
        self.count()
        dtype, scale = DATATYPES[self.read_meta()["core:datatype"]]
        try:
            raw = np.memmap(self.data, dtype, mode="r")
        except OSError as error:
            raise RadioError(f"{self.data} cannot be read: {error.strerror}") from None
        if dtype.kind == "c":
            return raw
        return (raw.astype(np.float32) * np.float32(scale)).view(np.complex64)

    def _check_whole(self, n_samples: int) -> None:
        """Raise :class:`RadioError` if the metadata speak of samples that are not there."""
        document = self.read_document()
        claim = document["global"].get(SAMPLES_KEY, 0)
        claims = [claim if isinstance(claim, int) else 0]
        for segment in (*document["captures"], *document["annotations"]):
            count = segment.get("core:sample_count", 0)
            claims.append(segment["core:sample_start"] + (count if isinstance(count, int) else 0))
        if max(claims) > n_samples:
            raise RadioError(
                f"{self.data} has {n_samples} samples, permitted: {max(claims)}, "
                "as its metadata say: it is cut short"
            )

    def gaps(self) -> list[int]:
        """Samples before which some were lost: where every capture but the first begins."""
        starts = {capture["core:sample_start"] for capture in self.read_document()["captures"]}
        return sorted(starts)[1:]

    def write_meta(self, sample_rate_hz: float, description: str) -> None:
        """Write the metadata of a cf32_le recording."""
        fields = {
            "global": {
                "core:datatype": "cf32_le",
                "core:sample_rate": sample_rate_hz,
                "core:version": "1.0.0",
                "core:description": description,
                "core:recorder": f"semcom {__version__}",
            },
            "captures": [{"core:sample_start": 0}],
            "annotations": [],
        }
        self.write_document(fields)

    def write_document(self, document: dict[str, Any]) -> None:
        """Write metadata as they are; the file gets its name when it is complete."""
        partial = Path(f"{self.meta}.partial")
        text = json.dumps(document, indent=2, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
        os.replace(partial, self.meta)


def _is_segment(entry: Any) -> bool:
    start = entry.get("core:sample_start") if isinstance(entry, dict) else None
    return type(start) is int and start >= 0


def pair(path: str) -> SigmfPair:
    """The pair that ``path`` names: with either suffix or none."""
    base = path
    for suffix in (".sigmf-meta", ".sigmf-data", ".sigmf"):
        base = base.removesuffix(suffix)
    if not base:
        raise RadioError(f"radio file:{path} names no file, permitted: file:PATH")
    return SigmfPair(Path(base + ".sigmf-meta"), Path(base + ".sigmf-data"))


def unused(wanted: SigmfPair) -> SigmfPair:
    """``wanted``, or if there is such a recording already, NAME-2, NAME-3, … : none is lost."""
    base = str(wanted.data).removesuffix(".sigmf-data")
    for number in range(1, MAX_NUMBERED):
        found = wanted if number == 1 else pair(f"{base}-{number}")
        partial = Path(f"{found.data}.partial")  # under way, or left by a process that was killed
        if not any(path.exists() for path in (found.data, found.meta, partial)):
            return found
    raise RadioError(f"recordings {base} to {base}-{MAX_NUMBERED - 1} exist, permitted: a new name")
