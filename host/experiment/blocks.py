# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs over block Rayleigh fading, many at once: how long each takes, with what bit errors.

A block lasts :data:`BLOCK_S`; its gain |h|² is exponential with mean 1.  In a block a *scheme*
gives the prompt some carriers and power (seconds a send, probability that it arrives) and the edge
map others (bits a second, bit error rate).  A job is over when all its streams are; what is not
sent when a block ends goes on in the next.  Schemes are tables over the block's SNR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host.allocation.controller import Controller, JobNeed, LinkPlan, StreamNeed
from host.allocation.packet_errors import KNOWN, error_rate
from host.allocation.qam_errors import bit_error_rate
from host.allocation.streams import ORDERS, ConditionStream
from semcom_blocks.phy import coding
from semcom_blocks.phy.numerology import Numerology

Array = NDArray[np.float64]

BLOCK_S = 20e-3
BLOCKS_MAX = 500  # 10 s: a job that takes longer counts as that long
#: SNR of a block at which schemes are tabulated.
GRID_DB = np.arange(-40.0, 50.01, 0.25)
SINGLE_BER = 1e-7
PROMPT, EDGES = 0, 1
ALONE = 8  # quantiles of fades that stand for a channel of which the mean is known


@dataclass(frozen=True)
class Job:
    """Bytes of the prompt's packet as sent, bits of the edge map, and the BER that it bears."""

    packet_bytes: int
    edge_bits: int
    edge_ber: float

    @property
    def need(self) -> JobNeed:
        """For the controller."""
        edges = StreamNeed(1, "edges", self.edge_bits, self.edge_ber)
        return JobNeed((self.packet_bytes,), (edges,))

    @property
    def bits(self) -> int:
        """Of both, uncoded."""
        return 8 * self.packet_bytes + self.edge_bits


@dataclass(frozen=True)
class Link:
    """Data carriers and seconds of an OFDM symbol."""

    n_data: int
    symbol_s: float

    @classmethod
    def default(cls) -> Link:
        """That of the default numerology."""
        numerology = Numerology()
        return cls(numerology.n_data, numerology.symbol_len / numerology.sample_rate_hz)


@dataclass(frozen=True)
class Service:
    """What a scheme does at each SNR of :data:`GRID_DB`, (n,) each; rate 0: not sent."""

    send_s: Array
    arrives: Array
    rate_bps: Array
    ber: Array


@dataclass(frozen=True)
class Scheme:
    """``both`` while prompt and edges wait, ``prompt`` and ``edges`` while only that one does."""

    both: Service
    prompt: Service
    edges: Service


def single_rate(link: Link, snr: Array, *, whole: bool) -> Array:
    """Bits a second of the single stream at BER 1e-7: by (4), or with ``whole`` bits a symbol."""
    stream = ConditionStream(1.0, link.n_data / link.symbol_s, name="single stream")
    if not whole:
        return stream.rate_bps(snr, SINGLE_BER)
    needed = np.array([float(stream.snr_of_order(m, SINGLE_BER)) for m in ORDERS])
    bits = np.concatenate([[0.0], np.log2(ORDERS)])
    return bits[np.searchsorted(needed, snr, side="right")] * stream.bandwidth_hz


def _prompt_service(link: Link, job: Job, snr: Array, carriers: Array, power: Array) -> Service:
    cells = coding.coded_length(8 * job.packet_bytes) / 2
    gain = power * link.n_data / carriers
    length = coding.coded_length(8 * job.packet_bytes)
    return Service(
        np.ceil(cells / carriers) * link.symbol_s,
        1 - error_rate(KNOWN, length, gain * snr),
        np.zeros_like(snr),
        np.zeros_like(snr),
    )


def _edge_service(
    link: Link, snr: Array, carriers: Array, power: Array, order: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Rate and BER of M-QAM on ``carriers`` with ``power``; ``order`` 0 sends nothing."""
    sent = order > 0
    bits = np.where(sent, np.log2(np.maximum(order, 2)), 0.0)
    gain = power * link.n_data / np.maximum(carriers, 1)
    ber = np.zeros_like(snr)
    for m in ORDERS:
        ber = np.where(order == m, bit_error_rate(m, gain * snr), ber)
    return bits * carriers / link.symbol_s, ber


def _scheme(link: Link, job: Job, plans: list[LinkPlan], last: NDArray[np.int64]) -> Scheme:
    """Of a plan for each SNR of the grid; ``last`` (n, 2): carriers, order of the edges alone."""
    snr = 10 ** (GRID_DB / 10)
    whole, all_power = np.full_like(snr, link.n_data), np.ones_like(snr)
    prompt = _prompt_service(
        link, job, snr,
        np.array([float(p.prompt.carriers) for p in plans]),
        np.array([p.prompt.power for p in plans]),
    )  # fmt: skip
    rate, ber = _edge_service(
        link, snr,
        np.array([float(p.streams[0].carriers) for p in plans]),
        np.array([p.streams[0].power for p in plans]),
        np.array([p.streams[0].order for p in plans]),
    )  # fmt: skip
    alone = _edge_service(link, snr, last[:, 0].astype(float), all_power, last[:, 1])
    return Scheme(
        Service(prompt.send_s, prompt.arrives, rate, ber),
        _prompt_service(link, job, snr, whole, all_power),
        Service(prompt.send_s, prompt.arrives, *alone),
    )


def adaptive(link: Link, job: Job) -> Scheme:
    """The controller, told the SNR of each block."""
    plans, last = [], []
    for db in GRID_DB:
        controller = Controller(link.n_data, link.symbol_s, margin_db=0.0)
        controller.view.observe_bands([float(db)], [link.n_data])
        plans.append(controller.plan(job.need))
        last.append(controller.alone(job.need.streams[0]))
    return _scheme(link, job, plans, np.array(last))


def adaptive_mean(link: Link, job: Job, mean_db: float) -> Scheme:
    """The controller, told SNRs of past blocks only: it plans for the fades that it has seen."""
    controller = Controller(link.n_data, link.symbol_s, margin_db=0.0)
    for share in (np.arange(ALONE) + 0.5) / ALONE:
        fade_db = mean_db + 10 * np.log10(-np.log1p(-share))
        controller.view.observe_bands([float(fade_db)], [link.n_data])
    plan, last = controller.plan(job.need), controller.alone(job.need.streams[0])
    return _scheme(link, job, [plan] * len(GRID_DB), np.array([last] * len(GRID_DB)))


def fixed(link: Link, job: Job, order: int) -> Scheme:
    """Equal carriers and power for both, and one modulation whatever the SNR."""
    snr = 10 ** (GRID_DB / 10)
    half, all_power = np.full_like(snr, link.n_data / 2), np.full_like(snr, 0.5)
    prompt = _prompt_service(link, job, snr, half, all_power)
    orders = np.full(len(snr), order)
    edges = Service(
        prompt.send_s, prompt.arrives, *_edge_service(link, snr, half, all_power, orders)
    )
    return Scheme(edges, prompt, edges)


@dataclass(frozen=True)
class Run:
    """Jobs that were sent, (jobs,) each: seconds, sends of the prompt, BER and share of edges."""

    seconds: Array
    sends: Array
    ber: Array
    refused: NDArray[np.bool_]


def send(
    scheme: Scheme,
    job: Job,
    mean_db: float,
    jobs: int,
    rng: np.random.Generator,
    *,
    may_refuse: bool = False,
) -> Run:
    """``jobs`` jobs at a mean SNR; with ``may_refuse`` the edges are given up where not planned."""
    waits = np.ones((2, jobs), bool)
    left, wrong = np.full(jobs, float(job.edge_bits)), np.zeros(jobs)
    seconds, sends = np.zeros(jobs), np.zeros(jobs)
    refused = np.zeros(jobs, bool)
    for block in range(BLOCKS_MAX):
        at = np.flatnonzero(waits.any(axis=0))
        if not len(at):
            break
        index = _index(mean_db, len(at), rng)
        prompt, edges = waits[:, at]
        service = {"both": scheme.both, "prompt": scheme.prompt, "edges": scheme.edges}
        state = np.where(prompt & edges, "both", np.where(prompt, "prompt", "edges"))
        pick = {
            key: np.select(
                [state == name for name in service],
                [getattr(one, key)[index] for one in service.values()],
            )
            for key in ("send_s", "arrives", "rate_bps", "ber")
        }
        if may_refuse:
            gone = edges & prompt & (pick["rate_bps"] == 0)
            refused[at[gone]], edges = True, edges & ~gone
        with np.errstate(divide="ignore", invalid="ignore"):
            tries = np.ceil(np.log(rng.random(len(at))) / np.log1p(-pick["arrives"]))
            tries = np.where(pick["arrives"] >= 1, 1.0, np.maximum(tries, 1.0))
            prompt_s = np.where(prompt, tries * pick["send_s"], 0.0)
            edges_s = np.where(edges, left[at] / pick["rate_bps"], 0.0)
        prompt_done, edges_done = prompt_s <= BLOCK_S, edges_s <= BLOCK_S
        whole = np.floor(BLOCK_S / pick["send_s"])
        sends[at] += np.where(prompt, np.where(prompt_done, tries, whole), 0)
        went = np.where(edges, np.minimum(left[at], pick["rate_bps"] * BLOCK_S), 0.0)
        left[at] -= went
        wrong[at] += went * pick["ber"]
        waits[PROMPT, at], waits[EDGES, at] = prompt & ~prompt_done, edges & ~edges_done
        over = ~waits[:, at].any(axis=0)
        seconds[at] = BLOCK_S * block + np.where(over, np.maximum(prompt_s, edges_s), BLOCK_S)
    return Run(seconds, sends, wrong / job.edge_bits, refused)


def send_single(
    link: Link, job: Job, mean_db: float, jobs: int, rng: np.random.Generator, *, whole: bool
) -> Array:
    """Seconds of ``jobs`` jobs in a single stream, (jobs,)."""
    rate = single_rate(link, 10 ** (GRID_DB / 10), whole=whole)
    left, seconds = np.full(jobs, float(job.bits)), np.zeros(jobs)
    for block in range(BLOCKS_MAX):
        at = np.flatnonzero(left > 0)
        if not len(at):
            break
        now = rate[_index(mean_db, len(at), rng)]
        with np.errstate(divide="ignore"):
            took = left[at] / now
        seconds[at] = BLOCK_S * block + np.minimum(took, BLOCK_S)
        left[at] = np.where(took <= BLOCK_S, 0.0, left[at] - now * BLOCK_S)
    return seconds


def _index(mean_db: float, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places in the grid of the SNRs of ``count`` blocks."""
    fades_db = mean_db + 10 * np.log10(np.maximum(rng.exponential(size=count), 1e-12))
    step = GRID_DB[1] - GRID_DB[0]
    return np.clip((fades_db - GRID_DB[0]) / step, 0, len(GRID_DB) - 1).astype(int)
