# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one task: ``python3 -m semcom_blocks.bench TASK REQUEST``, request and answer in JSON."""

import json
import sys
from pathlib import Path
from typing import Any

from semcom_blocks.bench import frames, memory, own, recording, stages
from semcom_blocks.bench.recording import Segment
from semcom_blocks.errors import SemcomError, require_choice
from semcom_blocks.phy.numerology import Numerology

TASKS = (
    "make",
    "make_gr",
    "adopt",
    "decode",
    "decode_gr",
    "search",
    "transmit",
    "stages",
    "memory",
    "fade",
)


def answer(task: str, request: dict[str, Any]) -> dict[str, Any]:
    """Carry out ``task``."""
    require_choice("task", task, TASKS)
    path = Path(request["path"])
    segments = [Segment(**values) for values in request.get("segments", [])]
    if task == "make":
        made = [recording.append_noise(path)]
        made += [frames.append_frames(path, kind, Numerology()) for kind in frames.KINDS]
        return {"segments": [segment.to_dict() for segment in made]}
    if task == "adopt":
        source = Path(request["source"])
        names = request["waveform"], request["name"], request["frames"]
        return {"segment": recording.adopt(path, *names, source).to_dict()}
    if task in ("make_gr", "decode_gr"):
        from semcom_blocks.bench import gr_digital  # what needs GNU Radio, like gr_fading

        if task == "make_gr":
            return gr_digital.make(path, request["name"])
        return gr_digital.decode(path, segments)
    if task == "fade":
        from semcom_blocks.bench import gr_fading

        return gr_fading.fade(path, Path(request["target"]), request["model"])
    if task == "decode":
        return own.decode(path, segments)
    if task == "search":
        return own.search(path, segments[0])
    if task == "transmit":
        return own.transmit()
    if task == "stages":
        return dict(stages.stages_us(path, segments[0]))
    return memory.growth(path, segments, int(request["samples"]))


def main() -> int:
    """Print the answer as one line; returns the exit status."""
    try:
        task, request = sys.argv[1], json.loads(sys.argv[2])
        print(json.dumps(answer(task, request)))
    except ImportError as error:
        sys.stderr.write(f"semcom: error: GNU Radio's Python lacks a module: {error}\n")
        return 2
    except SemcomError as error:
        sys.stderr.write(f"semcom: error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
