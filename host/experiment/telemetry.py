# SPDX-License-Identifier: GPL-3.0-or-later
"""Theory beside telemetry: (2), (3) with the fitted constants and what a link measures.

Two measurements in block Rayleigh fading, a new fade each frame: whole frames by the pure core
(the dense curve), and jobs through two GNU Radio processes over the software channel (some points),
with the bands of the first and with those of the controller, which hears what acknowledgements
tell the sender.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from host.allocation.controller import Controller, JobNeed, StreamNeed
from host.allocation.packet_errors import PAPER, RAYLEIGH, error_rate
from host.bench.link.intervals import mean as mean_of
from host.bench.link.intervals import proportion
from host.config import load_run
from host.experiment import frames
from host.experiment.settings import Document, Settings
from host.pipeline.adaptation import controller_of, numerology_of
from host.pipeline.bit_stream import from_symbols, to_symbols
from host.pipeline.demo import on_free_ports
from host.pipeline.exchange import Exchange, carry
from host.pipeline.ports import wait_ready
from host.pipeline.progress import Unwatched
from host.pipeline.session import READY_TIMEOUT_S, Session
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.link.packets import OVERHEAD_BYTES
from semcom_blocks.phy import coding
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.phy.framer import END_REPEATS
from semcom_blocks.phy.grid import FrameLayout
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.numerology import Numerology

CORE_DB = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0, 21.0, 24.0)
CORE_FRAMES, QUICK_FRAMES = 400, 30
LINK_DB, QUICK_LINK_DB = (6.0, 10.0, 14.0, 18.0), (14.0,)
JOBS, QUICK_JOBS = 40, 4
POINTS_GOAL = 8
EDGE_BITS, EDGE_BER = 528, 0.03
PROMPT = "two bicycles lean on a white wall beside a blue door; a cat sleeps in the sun below"
ATTEMPTS_MAX = 60  # so that no job is given up: then sends would say less than they were


def document(settings: Settings) -> Document:
    """Both measurements and the model at the same points."""
    rng = np.random.default_rng([settings.seed, 17])
    core_db = CORE_DB[::4] if settings.quick else CORE_DB
    link_db = QUICK_LINK_DB if settings.quick else LINK_DB
    total = len(core_db) + len(link_db)
    core = []
    for i, db in enumerate(core_db):
        count = QUICK_FRAMES if settings.quick else CORE_FRAMES
        core.append(_beside(frames.measure(db, count, rng), frames.PACKET_BYTES))
        settings.tell((i + 1) / total)
    linked = []
    for i, db in enumerate(link_db):
        linked += _link(db, QUICK_JOBS if settings.quick else JOBS, settings.seed)
        settings.tell((len(core_db) + i + 1) / total)
    points = [*core, *linked]
    inside = sum(point["inside"] for point in points)
    return {
        "law": list(RAYLEIGH.constants),
        "bands": frames.EQUAL.to_list(),
        "core": core,
        "link": linked,
        "inside": inside,
        "met": None if settings.quick else inside >= POINTS_GOAL,
    }


def _beside(point: dict[str, Any], packet_bytes: float) -> dict[str, Any]:
    """The model at a measured point, and whether the measurement lies in the band of the model.

    The band: where a share of so many packets lies in 95 of 100 cases if the model holds.
    """
    length = coding.coded_length(int(8 * packet_bytes))
    snr = 10 ** (point["prompt_snr_db"] / 10)
    model = float(error_rate(RAYLEIGH, length, snr))
    count = point.get("frames") or point["packets_sent"]
    half = 1.96 * math.sqrt(model * (1 - model) / count)
    band = [max(model - half, 0.0), min(model + half, 1.0)]
    return {
        **point,
        "model_per": model,
        "band": band,
        "inside": bool(band[0] <= point["per"] <= band[1]),
        "paper_per": float(error_rate(PAPER, length, snr)),
        "model_sends": 1 / (1 - model),
    }


def _link(mean_db: float, jobs: int, seed: int) -> list[dict[str, Any]]:
    """Jobs through radio processes: with equal bands, then with those of the controller."""
    run = on_free_ports(
        load_run(
            None,
            {
                "seed": seed + int(10 * mean_db),  # other fades at each point
                "channel": {"model": "rayleigh", "snr_db": mean_db},
                "link": {"arq": {"max_attempts": ATTEMPTS_MAX, "give_up_s": 60.0}},
                "allocation": {"adapt": True},
            },
        )
    )
    rng = np.random.default_rng([seed, int(10 * mean_db)])
    with Session(run) as session:
        session.open_receiver()
        session.open_sender(repeatable=True)
        wait_ready(session.source, session.sink, session.alive, READY_TIMEOUT_S)
        plain = [_job(session, 1 + i, frames.EQUAL, rng) for i in range(jobs)]
        controller = controller_of(run)
        planned = [_adapted(session, 1 + jobs + i, controller, rng) for i in range(jobs)]
    numerology = numerology_of(run)
    gain_db = 10 * np.log10(frames.gain_of(frames.EQUAL, 0, numerology))
    equal = _summary(plain, mean_db, numerology, 0) | {"prompt_snr_db": mean_db + gain_db}
    equal["model_air_ms"] = _air_ms(frames.EQUAL, equal, numerology)
    row = _beside({"bands": "equal", **equal}, _packet_bytes())
    adapted = _summary(planned, mean_db, numerology, plain[-1]["arrived"])
    gains = [frames.gain_of(job["table"], 0, numerology) for job in planned]
    adapted["prompt_snr_db"] = mean_db + 10 * np.log10(float(np.mean(gains)))
    adapted["refused"] = float(np.mean([len(job["table"].bands) == 1 for job in planned]))
    adapted["planned_ms"] = 1e3 * float(np.median([job["plan"].latency_s for job in planned]))
    return [row, _beside({"bands": "adaptive", **adapted}, _packet_bytes())]


def _adapted(
    session: Session, job_id: int, controller: Controller, rng: np.random.Generator
) -> dict[str, Any]:
    """One job planned by what acknowledgements told the sender of those before."""
    need = JobNeed((_packet_bytes(),), (StreamNeed(frames.STREAM, "edges", EDGE_BITS, EDGE_BER),))
    plan = controller.plan(need)
    table = BandTable.from_list(plan.bands())
    done = _job(session, job_id, table, rng)
    told = done["transmission"].band_snr_db if done["transmission"] is not None else ()
    if len(told) == len(table.bands):
        controller.view.observe_bands(told, table.carriers)
    else:
        controller.view.miss()
    return {**done, "plan": plan}


def _packet_bytes() -> int:
    descriptor = {"m": 2, "b": EDGE_BITS, "n": EDGE_BITS // 2}
    message = SemanticMessage(PROMPT, ((frames.STREAM, descriptor),)).to_bytes()
    return len(message) + OVERHEAD_BYTES


def _job(
    session: Session, job_id: int, table: BandTable, rng: np.random.Generator
) -> dict[str, Any]:
    """Send one job in bands and collect what both radios tell."""
    source, sink = session.source, session.sink
    assert source is not None and sink is not None
    bits = rng.integers(0, 2, EDGE_BITS, dtype=np.uint8)
    streams = {}
    for band in table.bands[1:]:
        symbols = to_symbols(bits, band.bits_per_symbol)
        about = {"m": band.bits_per_symbol, "b": len(bits), "n": len(symbols)}
        streams[frames.STREAM] = (symbols, about)
    exchange = Exchange(job_id)
    source.transmit(job_id, PROMPT, streams, table.to_list())
    carry(exchange, source, sink, session.alive, Unwatched())
    errors = None
    for stream in exchange.reception.streams if exchange.reception is not None else ():
        if stream.descriptor is not None:
            filled = stream.filled(stream.descriptor["n"])
            got = from_symbols(filled.symbols, filled.noise_var, stream.descriptor["m"], len(bits))
            errors = int(np.count_nonzero(got != bits))
    return {
        "table": table,
        "transmission": exchange.transmission,
        "arrived": exchange.reception.packets_received if exchange.reception is not None else 0,
        "told": exchange.frames.band_snr_db,
        "errors": errors,
    }


def _summary(
    jobs: list[dict[str, Any]], mean_db: float, numerology: Numerology, before: int
) -> dict[str, Any]:
    """Of all jobs; ``before``: packets that had arrived before the first.

    A packet sent again although it had arrived, because its acknowledgement was late, is not lost.
    """
    sent = [job["transmission"] for job in jobs if job["transmission"] is not None]
    packets = sum(one.packets_sent for one in sent)
    delivered = sum(one.delivered is True for one in sent)
    arrived = max(job["arrived"] for job in jobs) - before
    errors = [job["errors"] / EDGE_BITS for job in jobs if job["errors"] is not None]
    air_ms = [1e3 * one.samples_sent / numerology.sample_rate_hz for one in sent]
    told = [value for job in jobs for row in job["told"] for value in row]
    return {
        "mean_snr_db": mean_db,
        "told_snr_db": float(10 * np.log10(np.mean(10 ** (np.array(told) / 10)))) if told else None,
        "jobs": len(sent),
        "delivered": delivered,
        "packets_sent": packets,
        "packets_arrived": arrived,
        **proportion(packets - arrived, packets).keys("per"),
        "sends": packets / max(arrived, 1),
        "sends_of_a_job": packets / max(delivered, 1),
        **mean_of(air_ms).keys("air_ms"),
        "edge_ber": float(np.mean(errors)) if errors else None,
    }


def _air_ms(table: BandTable, summary: dict[str, Any], numerology: Numerology) -> float:
    """(3) with all of the frames: the first, repeats of the packet alone, the closing ones."""
    packet = _packet_bytes()
    symbols = -(-EDGE_BITS // table.bands[1].bits_per_symbol)
    first = FrameLayout(numerology, frames.header_of(table, symbols, packet)).n_samples
    again = FrameLayout(numerology, frames.header_of(table, 0, packet)).n_samples
    end = FrameLayout(numerology, FrameHeader(1, 0, end=True)).n_samples
    snr = 10 ** (summary["prompt_snr_db"] / 10)
    rate = float(error_rate(RAYLEIGH, coding.coded_length(8 * packet), snr))
    samples = first + (1 / (1 - rate) - 1) * again + END_REPEATS * end
    return 1e3 * samples / numerology.sample_rate_hz


def lines(document: Document) -> list[str]:
    """For the terminal."""
    points = [*document["core"], *document["link"]]
    found = [
        f"{document['inside']} of {len(points)} measured packet error rates in the 95 % band of (2)"
    ]
    for point in document["link"]:
        text = (
            f"{point['bands']} bands at {point['mean_snr_db']:g} dB: PER {point['per']:.3f} "
            f"(model {point['model_per']:.3f}), sends {point['sends']:.2f} "
            f"({point['model_sends']:.2f}), {point['air_ms']:.2f} ms on the air"
        )
        if "model_air_ms" in point:
            text += f" ({point['model_air_ms']:.2f})"
        if point["edge_ber"] is not None:
            text += f", edge BER {point['edge_ber']:.3f}"
        found.append(text)
    return found
