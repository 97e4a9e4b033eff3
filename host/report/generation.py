# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run with generation adds to the report: each stream's cost, the sampler, the scores.

streams  per stream: symbols and bits spent, per pixel, and how many bits arrived wrong
scores   by judge's name, 0…1; fidelity: shares counted right against the prompt's scene
"""

from __future__ import annotations

from typing import Any

from host.pipeline.outcome import Outcome
from host.pipeline.records import STREAM_EDGES, STREAM_LATENTS, STREAM_PICTURE

NAMES = {STREAM_PICTURE: "coarse", STREAM_EDGES: "edges", STREAM_LATENTS: "latents"}
NAME_CHARS = 28  # of a generator, whose folder may be deep


def streams(outcome: Outcome, pixels: int | None) -> list[dict[str, Any]]:
    """What was spent on each stream, the prompt first."""
    sent, made = outcome.semantics, outcome.synthesis
    if sent is None:
        return _arrived(outcome, pixels)
    bits = 8 * len(sent.prompt_on_air.encode("utf-8"))
    found = [_row("prompt", None, bits, pixels)]
    if sent.packed:
        found[0]["bits_as_text"] = 8 * len(sent.prompt.encode("utf-8"))
    for stream in sent.streams.values():
        bits = None if stream.bits is None else len(stream.bits)
        row = _row(stream.name, len(stream.symbols), bits, pixels)
        if bits is not None:
            row["bits_per_symbol"] = stream.descriptor.get("m")
            row["bit_errors"] = made.edge_bit_errors if made is not None else None
        if stream.name == "latents":
            row["lost"] = made.latents.lost if made is not None and made.latents else None
        found.append(row)
    return found


def _arrived(outcome: Outcome, pixels: int | None) -> list[dict[str, Any]]:
    """The same as the receiver's side knows it: what the message says of each stream."""
    if not outcome.run.generation.enabled or outcome.reception is None:
        return []
    found = []
    for stream in outcome.reception.streams:
        described = stream.descriptor or {}
        symbols, bits = (described.get(key) for key in ("n", "b"))
        bits = bits if stream.stream_id == STREAM_EDGES else None
        name = NAMES.get(stream.stream_id, f"stream {stream.stream_id}")
        row = _row(name, *(v if type(v) is int else None for v in (symbols, bits)), pixels)
        found.append(row)
    return found


def _row(name: str, symbols: int | None, bits: int | None, pixels: int | None) -> dict[str, Any]:
    return {
        "name": name,
        "symbols": symbols,
        "symbols_per_pixel": symbols / pixels if symbols is not None and pixels else None,
        "bits": bits,
        "bits_per_pixel": bits / pixels if bits is not None and pixels else None,
    }


def generation(outcome: Outcome) -> dict[str, Any] | None:
    """How the picture was drawn and how like the original it is; ``None`` if it was not drawn."""
    made = outcome.synthesis
    if made is None:
        return None
    coarse, heard = made.coarse_quality or {}, made.heard_quality or {}
    return {
        "generator": outcome.run.models.generator,
        "steps": made.steps,
        "guidance": made.guidance,
        "seconds": made.seconds,
        "notes": made.notes,
        "coarse_psnr_db": coarse.get("psnr_db"),
        "coarse_ms_ssim": coarse.get("ms_ssim"),
        "latents_psnr_db": heard.get("psnr_db"),
        "latents_ms_ssim": heard.get("ms_ssim"),
        "scores": made.scores,
        "fidelity": made.fidelity,
    }


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Lines for the table: (label, value)."""
    told = report.get("generation")
    if not report["config"]["generation"]["enabled"]:
        return []
    found = [(f"stream {row['name']}", stream_text(row)) for row in report["streams"]]
    if not told:
        return found
    if told["seconds"] is not None:
        found.append(("generated", f"{drawn_text(told)}, guidance {told['guidance']:g}"))
    found.extend((short_name(name), f"{value:.3f}") for name, value in told["scores"].items())
    if told["fidelity"]:
        found.append(("fidelity", fidelity_text(told["fidelity"])))
    return found


def stream_text(row: dict[str, Any]) -> str:
    """``264 symbols, 528 bits (0.129 bpp), 3 wrong``."""
    parts = []
    if row["symbols"] is not None:
        parts.append(f"{row['symbols']} symbols")
    if row["bits"] is not None:
        rate = f" ({row['bits_per_pixel']:.4f} bpp)" if row["bits_per_pixel"] is not None else ""
        parts.append(f"{row['bits']} bits{rate}")
    if row.get("bits_as_text") is not None:
        parts.append(f"{row['bits_as_text']} as text")
    if row.get("lost") is not None:
        parts.append(f"{100 * row['lost']:.0f} % lost or left out")
    if row.get("bit_errors") is not None:
        parts.append(f"{row['bit_errors']} wrong")
    return ", ".join(parts)


def drawn_text(told: dict[str, Any]) -> str:
    """``embedded:vae, 1 step, 0.03 s``."""
    name = str(told["generator"])
    steps = told["steps"]
    shown = name if len(name) <= NAME_CHARS else f"…{name[1 - NAME_CHARS :]}"
    return f"{shown}, {steps} step{'s' * (steps != 1)}, {told['seconds']:.2f} s"


def short_name(name: str) -> str:
    """A score's name for the eye: ``1-LPIPS hf:/models/alexnet`` is ``1-LPIPS alexnet``."""
    words = (w.rstrip("/").rsplit("/", 1)[-1] if w.startswith("hf:") else w for w in name.split())
    return " ".join(words)


def fidelity_text(fidelity: dict[str, Any]) -> str:
    """``attributes 100 %, relations 100 %``."""
    named = [(name, fidelity.get(name)) for name in ("attributes", "relations")]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in named if share is not None)
