# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture and one prompt through the whole chain on this machine.

original ─ host ─ radio tx ─ software channel ─ radio rx ─ host ─ picture
                                  └─ ACKs by ZMQ ─┘
"""

from __future__ import annotations

import secrets
from pathlib import Path

from host.client import HostClient
from host.config import RunConfig
from host.images import LoadedImage
from host.pipeline.exchange import Exchange, carry
from host.pipeline.outcome import Outcome, Stopwatch
from host.pipeline.progress import Progress
from host.pipeline.reconstruct import ideal_quality, received_picture
from host.pipeline.records import STREAM_PICTURE
from host.pipeline.session import Session
from host.supervise import free_ports
from host.versions import own_versions

JOB_IDS = 1 << 16
# What a clean channel of unknown SNR is encoded for: good links at short range.
UNKNOWN_SNR_DB = 20.0


def job_id_of(run: RunConfig, lonely: bool) -> int:
    """The job's number: from the seed where this command owns both radios, else random.

    A receiver that runs on would take the same number for the same job.
    """
    return run.seed % JOB_IDS if lonely else secrets.randbelow(JOB_IDS)


def on_free_ports(run: RunConfig) -> RunConfig:
    """``run`` with its radios' sockets on ports that are free now."""
    source, sink, feedback, samples, back = free_ports(5)
    network = run.network.model_copy(
        update={
            "source_port": source,
            "sink_port": sink,
            "feedback_port": feedback,
            "samples_port": samples,
            "return_port": back,
        }
    )
    return run.model_copy(update={"network": network})


def run_demo(
    run: RunConfig,
    original: LoadedImage,
    prompt: str,
    progress: Progress,
    *,
    attach: bool = False,
    host_endpoint: str | None = None,
    threads: int | None = None,
    log_dir: Path | None = None,
) -> Outcome:
    """Carry ``original`` and ``prompt``; with ``attach`` through radios that run already."""
    watch = Stopwatch()
    outcome = Outcome(run, job_id_of(run, lonely=not attach), prompt, original)
    placed = run if attach else on_free_ports(run)
    with Session(placed, host_endpoint=host_endpoint, threads=threads, log_dir=log_dir) as session:
        progress.stage("set-up")
        with watch.stage("setup"):
            host = session.open_host()
            sink = session.open_receiver(spawn=not attach)
            source = session.open_sender(spawn=not attach, repeatable=True)
            pong = session.wait_ready()
        progress.stage("encode")
        with watch.stage("encode"):
            symbols, descriptor = host.encode(original.pixels, run.codec.rate, run.channel.snr_db)
        outcome.symbols, outcome.descriptor = len(symbols), descriptor
        progress.stage("air")
        with watch.stage("air"):
            exchange = Exchange(outcome.job_id)
            source.transmit(outcome.job_id, prompt, {STREAM_PICTURE: (symbols, descriptor)})
            carry(exchange, source, sink, session.alive, progress)
            if run.recording.path is not None:
                session.end_sender() if run.recording.side == "tx" else session.end_receiver()
        outcome.transmission, outcome.reception = exchange.transmission, exchange.reception
        outcome.frames = exchange.frames
        progress.stage("decode")
        with watch.stage("decode"):
            outcome.picture = received_picture(host, outcome.reception)
        with watch.stage("measure"):
            _measure(host, outcome, original, symbols, descriptor)
        outcome.versions = {**own_versions(), "host": pong["versions"], **_radio(session)}
    outcome.timing_s = {**watch.spent_s, "total": watch.total_s()}
    return outcome


def _measure(host: HostClient, outcome: Outcome, original, symbols, descriptor) -> None:
    if outcome.picture is not None and outcome.picture.shape == original.pixels.shape:
        outcome.quality = host.quality(original.pixels, outcome.picture)
    if outcome.run.channel.model != "none":
        outcome.ideal = ideal_quality(
            host,
            original.pixels,
            symbols,
            descriptor,
            outcome.run.channel.snr_db,
            outcome.run.seed,
        )


def _radio(session: Session) -> dict[str, object]:
    """What the radios say about their software, if they do."""
    for port in (session.source, session.sink):
        if port is not None and isinstance(port.status.get("versions"), dict):
            return {"radio": port.status["versions"]}
    return {}
