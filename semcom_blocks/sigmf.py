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
#: A metadata file is a few kilobytes; a larger one is something else.
MAX_META_BYTES = 1 << 24
#: Characters of an odd value that an error shows.
MAX_SHOWN = 80


@dataclass(frozen=True)
class SigmfPair:
    """The two paths of a recording."""

    meta: Path
    data: Path

    def check_writable(self) -> None:
        """Raise :class:`RadioError` if the pair's folder does not exist or is read-only."""
        folder = self.data.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise RadioError(f"radio file:{self.data} has no writable folder {folder}")

    def read_meta(self) -> dict[str, Any]:
        """Global metadata; raises :class:`RadioError` naming what is missing or wrong."""
        try:
            if self.meta.stat().st_size > MAX_META_BYTES:
                raise RadioError(f"{self.meta} is larger than {MAX_META_BYTES} bytes")
            fields = json.loads(self.meta.read_text(encoding="utf-8"))["global"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RadioError(f"{self.meta} is not SigMF metadata: {error}") from None
        if not isinstance(fields, dict):
            raise RadioError(f"{self.meta} is not SigMF metadata: global is not an object")
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

    def samples(self) -> np.ndarray:
        """The recording, complex64 (n,), memory-mapped where its type allows it."""
        dtype, scale = DATATYPES[self.read_meta()["core:datatype"]]
        item = 8 if dtype.kind == "c" else 2 * dtype.itemsize
        try:
            size = self.data.stat().st_size
            if size == 0 or size % item:
                raise RadioError(f"{self.data} has {size} bytes, permitted: multiples of {item}")
            raw = np.memmap(self.data, dtype, mode="r")
        except OSError as error:
            raise RadioError(f"{self.data} cannot be read: {error.strerror}") from None
        if dtype.kind == "c":
            return raw
        return (raw.astype(np.float32) * np.float32(scale)).view(np.complex64)

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
        partial = Path(f"{self.meta}.partial")
        partial.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, self.meta)


def pair(path: str) -> SigmfPair:
    """The pair that ``path`` names: with either suffix or none."""
    base = path
    for suffix in (".sigmf-meta", ".sigmf-data", ".sigmf"):
        base = base.removesuffix(suffix)
    if not base:
        raise RadioError(f"radio file:{path} names no file, permitted: file:PATH")
    return SigmfPair(Path(base + ".sigmf-meta"), Path(base + ".sigmf-data"))
