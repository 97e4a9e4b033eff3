# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a job's folder together."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from host.pipeline.outcome import Outcome
from host.report.document import build, to_json
from host.report.files import png_bytes, write_all


def import_early() -> None:
    """Load the drawing library in the background: it takes a second that the radios use."""

    def load() -> None:
        import host.report.drawing  # noqa: F401

    threading.Thread(target=load, name="import drawing", daemon=True).start()


def write_report(outcome: Outcome, out: Path, *, page: bool = True) -> dict[str, Any]:
    """Write ``report.json`` and what else there is to ``out``; return the report.

    ``received.png`` and ``prompt.txt`` (UTF-8, exactly the received text) are there when
    a picture and a prompt arrived, ``edges.png``, ``coarse.png`` and ``latents.png`` with such
    streams;
    ``report.png`` with ``page``.
    """
    report = build(outcome)
    contents: dict[str, bytes] = {}
    if page:
        from host.report.drawing import draw

        contents["report.png"] = draw(outcome, report)
    if outcome.picture is not None:
        contents["received.png"] = png_bytes(outcome.picture)
    made = outcome.synthesis
    if made is not None and made.edges is not None:
        contents["edges.png"] = png_bytes(made.edges)
    if made is not None and made.coarse is not None:
        contents["coarse.png"] = png_bytes(made.coarse)
    if made is not None and made.heard is not None:
        contents["latents.png"] = png_bytes(made.heard)
    if outcome.prompt_received is not None:
        contents["prompt.txt"] = outcome.prompt_received.encode("utf-8")
    contents["report.json"] = to_json(report).encode("ascii")
    write_all(out, contents)
    return report
