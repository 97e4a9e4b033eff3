# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run with generation adds to the report: each stream's cost, the sampler, the scores.

streams  per stream: symbols and bits spent, per pixel, and how many bits arrived wrong
scores   by judge's name, 0…1; fidelity: shares counted right against the prompt's scene
"""

from __future__ import annotations

from typing import Any

from host.pipeline.outcome import Outcome


def streams(outcome: Outcome, pixels: int | None) -> list[dict[str, Any]]:
    """What was spent on each stream, the prompt first."""
    sent, made = outcome.semantics, outcome.synthesis
    if sent is None:
        return []
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
        text = f"{told['steps']} steps, guidance {told['guidance']:g}, {told['seconds']:.2f} s"
        found.append(("generated", text))
    found.extend((name, f"{value:.3f}") for name, value in told["scores"].items())
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


def fidelity_text(fidelity: dict[str, Any]) -> str:
    """``attributes 100 %, relations 100 %``."""
    named = [(name, fidelity.get(name)) for name in ("attributes", "relations")]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in named if share is not None)
