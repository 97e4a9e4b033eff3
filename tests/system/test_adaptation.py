# SPDX-License-Identifier: GPL-3.0-or-later
"""Sounding, plan and a job in bands through both radio processes; no models."""

import numpy as np

from host.config import load_run
from host.pipeline.adaptation import SOUNDING, adapt, controller_of, sound
from host.pipeline.bit_stream import from_symbols, to_symbols
from host.pipeline.demo import on_free_ports
from host.pipeline.exchange import Exchange, carry
from host.pipeline.ports import wait_ready
from host.pipeline.progress import Unwatched
from host.pipeline.records import STREAM_EDGES
from host.pipeline.semantics import Semantics, SentStream
from host.pipeline.session import READY_TIMEOUT_S, Session

PROMPT = "a kite over a grey beach, two dogs below"
SNR_DB, EDGE_BER = 14.0, 0.03


def test_plan_by_sounding_is_kept_and_the_sender_hears_of_its_bands() -> None:
    values = {"channel": {"snr_db": SNR_DB}, "allocation": {"adapt": True, "edge_ber": EDGE_BER}}
    run = on_free_ports(load_run(None, values))
    bits = np.random.default_rng(1).integers(0, 2, 4000, dtype=np.uint8)
    about = {"m": 2, "b": len(bits), "n": len(bits) // 2}
    stream = SentStream("edges", to_symbols(bits, 2), about, bits)
    with Session(run) as session:
        session.open_receiver()
        session.open_sender(repeatable=True)
        source, sink = session.source, session.sink
        wait_ready(source, sink, session.alive, READY_TIMEOUT_S)

        def send(exchange: Exchange, *job) -> Exchange:
            source.transmit(exchange.job_id, *(job or (SOUNDING, {})))
            carry(exchange, source, sink, session.alive, Unwatched())
            return exchange

        heard = sound(1, send)
        found = adapt(controller_of(run), run, Semantics(PROMPT, {STREAM_EDGES: stream}), heard)
        done = send(Exchange(2), PROMPT, found.sent.for_radio(), found.bands)

    assert np.abs(10 * np.log10(np.mean(heard)) - SNR_DB) < 1.5
    assert len(found.bands) == 2 and found.plan.order_of(STREAM_EDGES) >= 16
    assert done.transmission.delivered and done.reception.prompt == PROMPT
    for told in (done.transmission.band_snr_db, *done.frames.band_snr_db):
        np.testing.assert_allclose(told, SNR_DB, atol=2.0)
    (edges,) = done.reception.streams
    filled = edges.filled(edges.descriptor["n"])
    got = from_symbols(filled.symbols, filled.noise_var, edges.descriptor["m"], len(bits))
    assert np.mean(got != bits) <= EDGE_BER
