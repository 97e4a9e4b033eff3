# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture and one prompt through the whole chain on this machine.

original ─ host ─ radio tx ─ software channel ─ radio rx ─ host ─ picture
                                  └─ ACKs by ZMQ ─┘

With Plutos or USRPs, real or virtual, the radios and the air between them take the software
channel's place.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from host.config import RunConfig
from host.images import LoadedImage
from host.pipeline.adaptation import SOUNDING, adapt, controller_of, sound
from host.pipeline.decode import measure, receive_picture
from host.pipeline.exchange import JOB_IDS, Exchange, carry
from host.pipeline.outcome import Outcome, Stopwatch
from host.pipeline.progress import Progress
from host.pipeline.semantics import decompose, roles_of
from host.pipeline.session import Session
from host.pipeline.synthesis import check_drawable
from host.supervise import free_ports
from host.versions import own_versions

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
            session.open_air()
            sink = session.open_receiver(spawn=not attach)
            source = session.open_sender(spawn=not attach, repeatable=True)
            pong = session.wait_ready()
            host.load(roles_of(run, sends=True, draws=True, judges=True), run.models.model_dump())
        progress.stage("encode")
        with watch.stage("encode"):
            sent = decompose(host, run, original, prompt)
            check_drawable(host, run, sent, original)
        outcome.sends(sent)
        progress.stage("air")
        with watch.stage("air"):
            exchange = Exchange(outcome.job_id)
            bands = None
            session.wait_devices()
            if run.allocation.adapt:

                def sounding(exchange: Exchange) -> None:
                    source.transmit(exchange.job_id, SOUNDING, {})
                    carry(exchange, source, sink, session.alive, progress, session.keepers)

                heard = sound((outcome.job_id - 1) % JOB_IDS, sounding)
                outcome.adaptation = adapt(controller_of(run), run, sent, heard)
                sent, bands = outcome.adaptation.sent, outcome.adaptation.bands
                outcome.sends(sent)

            def submit(job_id: int) -> None:
                source.transmit(job_id, sent.prompt_on_air, sent.for_radio(), bands)

            submit(outcome.job_id)
            carry(exchange, source, sink, session.alive, progress, session.keepers, submit)
            outcome.job_id = exchange.job_id
            if run.recording.path is not None:
                session.end_sender() if run.recording.side == "tx" else session.end_receiver()
        outcome.transmission, outcome.reception = exchange.transmission, exchange.reception
        outcome.frames = exchange.frames
        progress.stage("decode")
        with watch.stage("decode"):
            receive_picture(host, outcome, progress)
        if attach:
            session.show(outcome)
        with watch.stage("measure"):
            measure(host, outcome, original, sent)
        outcome.devices = session.device_counters()  # by now they know of the job's end
        outcome.versions = {**own_versions(), "host": pong["versions"], **_radio(session)}
    outcome.timing_s = {**watch.spent_s, "total": watch.total_s()}
    return outcome


def _radio(session: Session) -> dict[str, object]:
    """What the radios say about their software, if they do."""
    for port in (session.source, session.sink):
        if port is not None and isinstance(port.status.get("versions"), dict):
            return {"radio": port.status["versions"]}
    return {}
