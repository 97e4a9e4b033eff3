# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller of a link: what is known of the channel → bands of the next job.

For each way to split the carriers and each combination of modulation orders, every conditioning
stream gets the least power with which its bit errors stay within what quality allows, the bound
of (4) averaged over what was seen of its carriers; the prompt gets the rest of the power, and with
it its expected sends; what saves it none goes back to the streams.  The combination with the
shortest latency is taken,

    T = max(prompt rows · E[sends], rows of each stream) · symbol time.

Where none keeps the quality at a bearable number of sends, streams are refused (M = 0), the last
in the list first; in the end the prompt has all carriers to itself.

    nothing known     a mean SNR of ``channel_view.ASSUMED_DB`` in block Rayleigh is assumed
    a report          counts for the next ``channel_view.WINDOW`` jobs
    no word of a job  3 dB less of everything known, for each such job until the next report
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.allocation.channel_view import ChannelView
from host.allocation.packet_errors import KNOWN, KnownErrors
from host.allocation.streams import BER_RANGE, ORDERS, steps_of
from semcom_blocks.errors import ConfigError, require_range
from semcom_blocks.phy import coding

Array = NDArray[np.float64]

#: α, β of (4), the tightest bound on each order for BERs from 1e-7 to 0.15.
ORDER_BOUNDS = {
    2: (1.6436, 3.7011),
    4: (1.6436, 3.7011),
    16: (1.6570, 4.4559),
    64: (1.6730, 5.0717),
    256: (1.6907, 5.5214),
}
#: Free distance of the code: an error event spans so many code bits, each at a carrier of its own.
FREE_DISTANCE = 10
#: Expected sends of a prompt packet beyond which conditioning streams are refused for its sake.
SENDS_MAX = 4.0
#: SNR kept in hand against what estimates miss and channels change, in dB.
MARGIN_DB = 1.0
#: Candidates of one plan; more streams split the carriers more coarsely.
CANDIDATES_MAX = 1500
STREAMS_MAX = 3
CHUNK = 128  # candidates looked at together, the shortest first
SPREAD_STEPS = 8  # ways to split what the prompt has to spare
SPREAD_MOST = 4.0  # times the least power of a stream: 6 dB
SPREAD_LOSS = 0.1  # share of its power that the prompt may lose to them: half a dB
SPREAD_SENDS = 1.001  # what its expected sends may grow by for it
SENDS_TOLD = 1e3  # more are not worth a number
SENDS_ENDLESS = 1e6  # as good as never
#: Shares of power are sent in steps of 1/65536: none may be less than a few.
SHARE_MIN = 1e-3


@dataclass(frozen=True)
class StreamNeed:
    """A conditioning stream: ``bits`` of which a share ``ber`` may be wrong."""

    stream_id: int
    name: str
    bits: int
    ber: float

    def __post_init__(self) -> None:
        require_range("stream_id", self.stream_id, 0, 255)
        require_range(f"{self.name} bits", self.bits, 1, 1e9)
        require_range(f"ber of {self.name}", self.ber, BER_RANGE[0], 0.15)


@dataclass(frozen=True)
class JobNeed:
    """A job: bytes of each prompt packet as it is sent, and streams, the least important last."""

    packet_bytes: tuple[int, ...]
    streams: tuple[StreamNeed, ...] = ()

    def __post_init__(self) -> None:
        if not self.packet_bytes or min(self.packet_bytes) < 1:
            raise ConfigError(f"packets have {self.packet_bytes} bytes, permitted: from 1 each")
        if len(self.streams) > STREAMS_MAX:
            raise ConfigError(f"{len(self.streams)} streams, permitted: 0 to {STREAMS_MAX}")


@dataclass(frozen=True)
class BandPlan:
    """One stream as planned; ``order`` 0 and no carriers where it is refused.

    ``stream_id`` is ``None`` for the prompt.  ``rows``: OFDM symbols, the prompt's with the
    expected retransmissions, infinite where it never arrives.  ``snr_db``: mean of its cells as
    received.  ``error_rate``: of packets for the prompt, of bits, as a bound, for the others.
    """

    stream_id: int | None
    name: str
    carriers: int
    power: float
    order: int
    rows: float
    snr_db: float | None
    error_rate: float | None

    def entry(self) -> dict[str, Any]:
        """As a ``transmit`` request has it."""
        return {
            "stream_id": self.stream_id,
            "carriers": self.carriers,
            "power": self.power,
            "bits_per_symbol": self.order.bit_length() - 1,
        }


@dataclass(frozen=True)
class LinkPlan:
    """What is sent how; ``refused`` says why, one line for each stream that is not sent."""

    prompt: BandPlan
    streams: tuple[BandPlan, ...]
    sends: float
    latency_s: float
    bottleneck: str
    known: bool
    refused: dict[int, str] = field(default_factory=dict)

    def bands(self) -> list[dict[str, Any]]:
        """The ``bands`` of a ``transmit`` request."""
        return [band.entry() for band in (self.prompt, *self.streams) if band.order]

    def order_of(self, stream_id: int) -> int:
        """Modulation order of a stream, 0 where it is not sent."""
        return next((b.order for b in self.streams if b.stream_id == stream_id), 0)


class Controller:
    """Plans jobs for a link of ``n_data`` data carriers and ``symbol_s`` seconds a row."""

    def __init__(
        self,
        n_data: int,
        symbol_s: float,
        *,
        orders: Sequence[int] = ORDERS,
        prompt_order: int = 4,
        errors: KnownErrors = KNOWN,
        margin_db: float = MARGIN_DB,
    ) -> None:
        for order in (*orders, prompt_order):
            if order not in ORDERS:
                raise ConfigError(f"modulation order is {order}, permitted: {ORDERS}")
        if prompt_order != 4:  # the law of its packets is that of QPSK
            raise ConfigError(f"prompt_order is {prompt_order}, permitted: 4")
        self.view = ChannelView(n_data)
        self.symbol_s = float(require_range("symbol_s", symbol_s, 1e-9, 1.0))
        self._orders = tuple(sorted(set(orders)))
        alphas, self._betas = np.array([ORDER_BOUNDS[order] for order in self._orders]).T
        self._gaps = steps_of(self._orders) / alphas
        self._prompt_order = prompt_order
        self._errors = errors
        self._margin = 10 ** (require_range("margin_db", margin_db, 0, 20) / 10)

    def plan(self, job: JobNeed) -> LinkPlan:
        """The fastest way to send ``job`` that keeps what is asked of each stream."""
        refused: dict[int, str] = {}
        for kept in range(len(job.streams), 0, -1):
            found, why = self._best(job, job.streams[:kept])
            if found is not None:
                return self._describe(job, job.streams[:kept], found, refused)
            refused[job.streams[kept - 1].stream_id] = why
        groups = self.view.groups
        sends = float(self._sends(job, np.array([groups]), np.ones(1))[0])
        return self._describe(job, (), _Found((groups,), (), (), sends), refused)

    def alone(self, stream: StreamNeed) -> tuple[int, int]:
        """Carriers and order of a stream that is left alone, with all of the power; 0, 0 if none.

        Few carriers may carry what all together are too weak for.
        """
        groups = np.arange(1, self.view.groups + 1)
        carriers = self.view.edges[groups]
        needed = self._shares(stream, np.zeros_like(groups), groups, carriers)
        rate = np.where(needed <= 1, carriers[:, None] * np.log2(self._orders), 0.0)
        split, pick = np.unravel_index(int(np.argmax(rate)), rate.shape)
        if rate[split, pick] == 0:
            return 0, 0
        return int(carriers[split]), self._orders[int(pick)]

    def _best(self, job: JobNeed, streams: tuple[StreamNeed, ...]) -> tuple[_Found | None, str]:
        """The best candidate, or why there is none."""
        splits = _splits(self.view.groups, len(streams), len(self._orders))
        ends = splits.cumsum(axis=1)  # (C, 1 + I)
        carriers = self.view.edges[ends] - self.view.edges[ends - splits]
        share = np.zeros((len(splits), 1))  # of the streams together, (C, combinations)
        rows = np.zeros((len(splits), 1))
        picks = list(product(range(len(self._orders)), repeat=len(streams)))
        each: list[Array] = []
        for i, stream in enumerate(streams):
            needed = self._shares(stream, ends[:, i], ends[:, i + 1], carriers[:, i + 1])
            each.append(needed)
            bits = np.log2(self._orders)
            symbols = np.ceil(stream.bits / bits)
            took = np.ceil(symbols / carriers[:, i + 1, None])  # (C, orders)
            pick = [p[i] for p in picks]
            share = share + needed[:, pick]
            rows = np.maximum(rows, took[:, pick])
        rest = 1 - share
        fits = rest >= SHARE_MIN
        if not fits.any():
            short_db = 10 * np.log10(share.min() + SHARE_MIN)
            return None, f"needs {short_db:.1f} dB more than there is"
        prompt_rows = self._prompt_rows(job, carriers[:, 0])
        split, pick = np.nonzero(fits)
        least = np.maximum(prompt_rows[split], rows[fits])  # without retransmissions
        order = np.argsort(least, kind="stable")
        best, best_cost, fewest = -1, np.inf, np.inf
        for at in np.split(order, range(CHUNK, len(order), CHUNK)):
            if best_cost <= least[at[0]]:
                break
            sends = self._sends(job, splits[split[at], 0], rest[fits][at])
            cost = np.maximum(prompt_rows[split[at]] * sends, least[at])
            cost[sends > SENDS_MAX] = np.inf
            fewest = min(fewest, float(sends.min()))
            i = int(np.argmin(cost))
            if cost[i] < best_cost:
                best, best_cost, best_sends = int(at[i]), float(cost[i]), float(sends[i])
        if best < 0:
            text = f"over {SENDS_TOLD:g}" if fewest > SENDS_TOLD else f"{fewest:.1f}"
            return None, f"a packet of the prompt would take {text} sends, permitted: {SENDS_MAX:g}"
        chosen = picks[int(pick[best])]
        shares = np.array([each[i][split[best], p] for i, p in enumerate(chosen)])
        shares, best_sends = self._spread(job, splits[split[best], 0], shares, best_sends)
        found = _Found(
            tuple(int(width) for width in splits[split[best]]),
            chosen,
            tuple(float(one) for one in shares),
            best_sends,
        )
        return found, ""

    def _spread(
        self, job: JobNeed, groups: np.int64, shares: Array, sends: float
    ) -> tuple[Array, float]:
        """Power that saves the prompt no sends goes to the streams: fewer errors, same latency.

        Only as much as hardly costs the prompt anything: it may fade deeper than was seen.
        """
        spare = SPREAD_LOSS * (1 - shares.sum()) / shares.sum()
        factors = np.geomspace(1.0, 1 + min(spare, SPREAD_MOST - 1), SPREAD_STEPS)
        rest = 1 - factors * shares.sum()
        found = self._sends(job, np.full(SPREAD_STEPS, groups), np.maximum(rest, SHARE_MIN))
        kept = np.flatnonzero(found <= sends * SPREAD_SENDS)
        at = int(kept[-1]) if len(kept) else 0
        return shares * factors[at], float(found[at]) if at else sends

    def _shares(
        self,
        stream: StreamNeed,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        carriers: NDArray[np.int64],
    ) -> Array:
        """Least share of the power for each split and order, (C, orders)."""
        levels = np.minimum(self._betas * stream.ber, 0.999)
        gain = self.view.least_scale(first, last, levels) * self._gaps * self._margin
        return np.maximum(gain * carriers[:, None] / self.view.n_data, SHARE_MIN)

    def _sends(self, job: JobNeed, groups: NDArray[np.int64], share: Array) -> Array:
        """Expected sends of a prompt packet, (C,), in the first ``groups`` (C,) at ``share`` (C,).

        Each event of errors spans FREE_DISTANCE code bits on different carriers.
        """
        widths, where = np.unique(groups, return_inverse=True)
        log_c, depth = self.view.transform(np.zeros_like(widths), widths)  # (K, blocks, W)
        gain = share * self.view.n_data / (self.view.edges[groups] * self._margin)
        c = np.log(self._errors.a * gain / FREE_DISTANCE)  # (C,)
        place = np.clip((c - log_c[0]) / (log_c[1] - log_c[0]), 0, len(log_c) - 1.001)
        low = place.astype(int)
        part = (place - low)[:, None]
        by_width = depth.transpose(0, 2, 1)  # (K, W, blocks)
        deep = by_width[low, where] * (1 - part) + by_width[low + 1, where] * part
        k, b, _ = self._errors.constants
        length = coding.coded_length(8 * max(job.packet_bytes))
        events = np.exp(k * np.log(length) + b - FREE_DISTANCE * deep)  # (C, blocks)
        with np.errstate(divide="ignore", over="ignore"):
            sends = 1 / np.exp(-events).mean(axis=1)
        return np.where(sends < SENDS_ENDLESS, sends, np.inf)

    def _prompt_rows(self, job: JobNeed, carriers: NDArray[np.int64]) -> Array:
        """OFDM symbols of one send of every packet, (C,)."""
        bits = self._prompt_order.bit_length() - 1
        cells = [-(-coding.coded_length(8 * n) // bits) for n in job.packet_bytes]
        return np.ceil(np.array(cells)[:, None] / carriers).sum(axis=0)

    def _describe(
        self,
        job: JobNeed,
        streams: tuple[StreamNeed, ...],
        found: _Found,
        refused: dict[int, str],
    ) -> LinkPlan:
        ends = np.cumsum(found.split)
        carriers = self.view.edges[ends] - self.view.edges[ends - np.array(found.split)]
        mean = [
            float(self.view.snr[:, self.view.edges[e - w] : self.view.edges[e]].mean())
            for e, w in zip(ends, found.split, strict=True)
        ]
        rows = {"prompt": found.sends * float(self._prompt_rows(job, carriers[:1])[0])}
        bands = []
        for i, (stream, pick) in enumerate(zip(streams, found.picks, strict=True)):
            order, share, width = self._orders[pick], found.shares[i], int(carriers[i + 1])
            rows[stream.name] = float(np.ceil(np.ceil(stream.bits / np.log2(order)) / width))
            snr_db = 10 * np.log10(mean[i + 1] * share * self.view.n_data / width)
            bands.append(
                BandPlan(stream.stream_id, stream.name, width, share, order,
                         rows[stream.name], float(snr_db), stream.ber)
            )  # fmt: skip
        bands += [
            BandPlan(s.stream_id, s.name, 0, 0.0, 0, 0.0, None, None)
            for s in job.streams[len(streams) :]
        ]
        rest, width = 1 - sum(found.shares), int(carriers[0])
        snr_db = 10 * np.log10(mean[0] * rest * self.view.n_data / width)
        prompt = BandPlan(None, "prompt", width, rest, self._prompt_order, rows["prompt"],
                          float(snr_db), 1 - 1 / found.sends)  # fmt: skip
        slowest = max(rows, key=lambda name: rows[name])
        latency_s = rows[slowest] * self.symbol_s
        return LinkPlan(prompt, tuple(bands), found.sends, latency_s, slowest,
                        self.view.known, refused)  # fmt: skip


@dataclass(frozen=True)
class _Found:
    """A candidate: groups of each band, index of each order, shares of streams, sends."""

    split: tuple[int, ...]
    picks: tuple[int, ...]
    shares: tuple[float, ...]
    sends: float


@lru_cache(maxsize=16)
def _splits(groups: int, streams: int, orders: int) -> NDArray[np.int64]:
    """Ways to split the groups into 1 + ``streams`` runs, (C, 1 + streams)."""
    step = 1
    while True:
        cuts = range(step, groups, step)
        found = [np.diff([0, *chosen, groups]) for chosen in combinations(cuts, streams)]
        if len(found) * orders**streams <= CANDIDATES_MAX or step * (streams + 1) >= groups:
            return np.array(found)
        step += 1
