# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams in bands of their own: what is known of the channel → plan → what is sent.

sounding job → SNR of each carrier → controller → carriers, power, modulation → job in bands
                                                         └─ edges refused: the prompt alone
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from host.allocation.controller import Controller, JobNeed, LinkPlan, StreamNeed
from host.allocation.streams import ORDERS
from host.config import RunConfig
from host.pipeline.bit_stream import to_symbols
from host.pipeline.exchange import Exchange
from host.pipeline.semantics import Semantics, SentStream
from semcom_blocks.link.fragment import split
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.link.packets import MAX_PAYLOAD_BYTES, OVERHEAD_BYTES
from semcom_blocks.phy.interleave import naming
from semcom_blocks.phy.numerology import Numerology

#: Words of a sounding job: it is sent for its frames' channel estimates.
SOUNDING = "?"
#: Frames of it that count: the one that carries it and the first that closes it.  The repeats of
#: that may come too late, and the same seed shall give the same plan.
FRAMES_HEARD = 2


@dataclass(frozen=True)
class Adaptation:
    """The decision taken for a job: the plan, what it sends, and the frames that it rests on."""

    plan: LinkPlan
    sent: Semantics
    frames_heard: int

    @property
    def bands(self) -> list[dict[str, Any]]:
        """As the sender takes them."""
        return self.plan.bands()


def numerology_of(run: RunConfig) -> Numerology:
    """Sizes and rate of the run's waveform."""
    return Numerology(**run.numerology.model_dump(), sample_rate_hz=run.radio.sample_rate_hz)


def controller_of(run: RunConfig) -> Controller:
    """A controller that knows nothing yet."""
    numerology = numerology_of(run)
    period = numerology.block_period  # one symbol of which is pilots
    symbol_s = numerology.symbol_len / numerology.sample_rate_hz * period / (period - 1)
    order = run.allocation.edge_order
    return Controller(
        numerology.n_data,
        symbol_s,
        orders=(order,) if order else ORDERS,
        margin_db=run.allocation.margin_db,
    )


def need_of(run: RunConfig, sent: Semantics) -> JobNeed:
    """Packets of the prompt and bits of the streams, as the link will cut them."""
    order = naming(run.link.interleaver)  # the sender adds it
    pairs = tuple((key, {**stream.descriptor, **order}) for key, stream in sent.streams.items())
    message = SemanticMessage(sent.prompt_on_air, pairs).to_bytes()
    packets = tuple(len(part) + OVERHEAD_BYTES for part in split(message, MAX_PAYLOAD_BYTES))
    streams = tuple(
        StreamNeed(key, stream.name, len(stream.bits), run.allocation.edge_ber)
        for key, stream in sent.streams.items()
        if stream.bits is not None
    )
    return JobNeed(packets, streams)


def adapt(
    controller: Controller,
    run: RunConfig,
    sent: Semantics,
    heard: Sequence[np.ndarray] = (),
) -> Adaptation:
    """Plan ``sent`` and modulate its bits accordingly.

    ``heard``: SNR of every used carrier, linear (n_used,), as frames of a moment ago told.
    """
    data = numerology_of(run).data_index
    for snr in heard:
        controller.view.observe_carriers(np.clip(snr[data], 1e-4, 1e8))
    plan = controller.plan(need_of(run, sent))
    streams = {}
    for key, stream in sent.streams.items():
        order = plan.order_of(key)
        if stream.bits is not None and order:
            streams[key] = modulated(stream, order.bit_length() - 1)
    return Adaptation(plan, replace(sent, streams=streams), len(heard))


def modulated(stream: SentStream, bits_per_symbol: int) -> SentStream:
    """The same bits on another modulation."""
    assert stream.bits is not None
    symbols = to_symbols(stream.bits, bits_per_symbol)
    descriptor = {**stream.descriptor, "m": bits_per_symbol, "n": len(symbols)}
    return replace(stream, symbols=symbols, descriptor=descriptor)


def sound(job_id: int, send: Callable[[Exchange], None]) -> list[np.ndarray]:
    """Send a short job under ``job_id`` by ``send``; SNR of the used carriers in its frames."""
    exchange = Exchange(job_id)
    send(exchange)
    return list(exchange.frames.carrier_snr)[:FRAMES_HEARD]
