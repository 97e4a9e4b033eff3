# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture and one prompt out by one radio; the receiver is elsewhere, or later."""

from __future__ import annotations

from pathlib import Path

from host.config import RunConfig
from host.images import LoadedImage
from host.pipeline.adaptation import adapt, controller_of
from host.pipeline.demo import job_id_of
from host.pipeline.exchange import Exchange, carry
from host.pipeline.outcome import Outcome, Stopwatch
from host.pipeline.progress import Progress
from host.pipeline.semantics import decompose, roles_of
from host.pipeline.session import Session
from host.versions import own_versions


def run_send(
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
    """Send until the prompt is acknowledged, given up, or (without feedback) all sent.

    With ``attach`` by a flowgraph that runs already.
    """
    watch = Stopwatch()
    lonely = run.radio.kind == "file" and not attach  # nobody listens yet
    outcome = Outcome(run, job_id_of(run, lonely), prompt, original)
    with Session(run, host_endpoint=host_endpoint, threads=threads, log_dir=log_dir) as session:
        progress.stage("set-up")
        with watch.stage("setup"):
            host = session.open_host()
            source = session.open_sender(spawn=not attach, repeatable=lonely)
            pong = session.wait_ready()
            host.load(roles_of(run, sends=True, draws=False, judges=False), run.models.model_dump())
        progress.stage("encode")
        with watch.stage("encode"):
            sent = decompose(host, run, original, prompt)
        bands = None
        if run.allocation.adapt:  # nobody tells of the channel before: a careful plan
            outcome.adaptation = adapt(controller_of(run), run, sent)
            sent, bands = outcome.adaptation.sent, outcome.adaptation.bands
        outcome.sends(sent)
        progress.stage("air")
        with watch.stage("air"):
            exchange = Exchange(outcome.job_id)

            def submit(job_id: int) -> None:
                source.transmit(job_id, sent.prompt_on_air, sent.for_radio(), bands)

            session.wait_devices()
            submit(outcome.job_id)
            carry(exchange, source, None, session.alive, progress, session.keepers, submit)
            outcome.job_id, outcome.devices = exchange.job_id, session.device_counters()
            if run.radio.cyclic:
                progress.note(f"the radio repeats the job for {run.radio.cyclic_s:g} s")
                session.rest(run.radio.cyclic_s)
            session.end_sender()
        outcome.transmission = exchange.transmission
        outcome.versions = {**own_versions(), "host": pong["versions"]}
    outcome.timing_s = {**watch.spent_s, "total": watch.total_s()}
    return outcome
