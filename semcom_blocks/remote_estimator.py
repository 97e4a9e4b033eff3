# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the model service for a frame's channel, and do without it when it does not answer.

    radio    estimate {id, numerology} [rows, rows_sent c64 (m, n_used),
                                        comb, comb_sent c64 (n_comb, k)]
    service  estimated {id} [response c64 (n_used,)]        or  error {id, name, text}

The known cells of a frame go out as the receiver has them, see :mod:`semcom_blocks.phy.known`.
Nothing waits for longer than the deadline, and nothing is asked for a while after some misses:

    asking ──MISSES in a row──► resting ──after retry_s──► one question ──answered──► asking
                                   ▲                            └──missed──┐
                                   └──────────────────────────────────────-┘
"""

import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import zmq

from semcom_blocks import transport
from semcom_blocks.errors import ConfigError, WireError, require_range
from semcom_blocks.phy.known import KnownCells
from semcom_blocks.phy.numerology import MAX_FRAME_SAMPLES, Numerology
from semcom_blocks.wire import Message

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5570"
#: Longest wait for an answer. On a quiet machine one takes a few milliseconds; where both cores
#: are busy a process may have to wait for its turn.
DEADLINE_S = 0.05
DEADLINES_S = (1e-3, 1.0)
#: Misses in a row after which the service counts as gone.
MISSES = 3
#: … and how long it is then left alone: waiting takes 5 % of the time at the most.
RETRY_S = 1.0
#: Questions under way; late answers are dropped when the next one is asked.
HIGH_WATER_MARK = 8


def question(
    received: KnownCells, reference: KnownCells, numerology: Numerology, number: int
) -> Message:
    """The ``estimate`` message."""
    arrays = {
        "rows": received.rows,
        "rows_sent": reference.rows,
        "comb": received.comb,
        "comb_sent": reference.comb,
    }
    return Message("estimate", {"id": number, "numerology": asdict(numerology)}, arrays)


def read_question(message: Message) -> tuple[KnownCells, KnownCells, Numerology]:
    """What :func:`question` packed; a :class:`WireError` or :class:`ConfigError` if it is odd."""
    values = message.value("numerology", dict)
    if not all(isinstance(key, str) for key in values):
        raise WireError("estimate: numerology has a key that is not text")
    num = Numerology.from_dict(values)
    most = MAX_FRAME_SAMPLES // num.symbol_len + 2
    pairs = []
    for name, count in (("rows", None), ("comb", num.n_comb)):
        cells, sent = (message.array(key, np.complex64, 2) for key in (name, f"{name}_sent"))
        length = len(cells) if count is None else cells.shape[1]
        wanted = (length, num.n_used) if count is None else (count, length)
        empty = count is not None and not cells.size
        if cells.shape != sent.shape or length > most or (cells.shape != wanted and not empty):
            raise WireError(
                f"estimate: {name} is {cells.shape} and {sent.shape}, "
                f"permitted: equal, of {num.n_used} carriers, {num.n_comb} comb, {most} symbols"
            )
        if not (np.isfinite(cells).all() and np.isfinite(sent).all()):
            raise WireError(f"estimate: {name} holds NaN or infinity, permitted: finite numbers")
        pairs.append((cells, sent))
    (rows, rows_sent), (comb, comb_sent) = pairs
    if not len(rows) or not rows_sent.any():
        raise WireError("estimate: rows hold no known cell, permitted: 1 or more")
    return KnownCells(rows, comb), KnownCells(rows_sent, comb_sent), num


class RemoteEstimator:
    """Belongs to one thread, like its socket.

    ``counters``: ``asked``; of these ``answered`` in time; ``late`` answers that came after all,
    ``refused`` ones that were errors or nonsense; ``fell_back``: frames that went without.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        deadline_s: float = DEADLINE_S,
        retry_s: float = RETRY_S,
        *,
        context: zmq.Context | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        require_range("deadline_s", deadline_s, *DEADLINES_S)
        self._socket = transport.MessageSocket(
            transport.open_socket(
                context or zmq.Context.instance(),
                zmq.DEALER,
                connect=endpoint,
                high_water_mark=HIGH_WATER_MARK,
            )
        )
        self._deadline_s, self._retry_s, self._clock = deadline_s, retry_s, clock
        self._number = 0
        self._misses = 0
        self._rests_until = -np.inf
        self._counts = dict.fromkeys(("asked", "answered", "late", "refused", "fell_back"), 0)

    @property
    def counters(self) -> dict[str, int]:
        """What happened so far; malformed messages count as refused."""
        return self._counts | {"refused": self._counts["refused"] + self._socket.refused}

    def ask(
        self, received: KnownCells, reference: KnownCells, numerology: Numerology
    ) -> np.ndarray | None:
        """The response complex64 (n_used,), or None where the local estimate has to do."""
        now_s = self._clock()
        response = None
        if now_s >= self._rests_until:
            response = self._asked(question(received, reference, numerology, self._next()))
            if response is None:
                self._misses += 1
                if self._misses >= MISSES:
                    self._rests_until = self._clock() + self._retry_s
            else:
                self._misses = 0
        self._counts["answered" if response is not None else "fell_back"] += 1
        return response

    def close(self) -> None:
        """Close the socket; answers that are under way are dropped."""
        self._socket.close()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _asked(self, message: Message) -> np.ndarray | None:
        deadline_s = self._clock() + self._deadline_s
        while (stale := self._socket.receive(0)) is not None:
            self._stale(stale)
        if not self._socket.send(message, 0):
            return None
        self._counts["asked"] += 1
        while (left_s := deadline_s - self._clock()) > 0:
            answer = self._socket.receive(left_s)
            if answer is None:
                break
            if answer.meta.get("id") != message.meta["id"]:
                self._stale(answer)
                continue
            response = _response(answer, message.arrays["rows"].shape[1])
            self._counts["refused"] += response is None
            return response
        return None

    def _stale(self, answer: Message) -> None:
        number = answer.meta.get("id")
        known = isinstance(number, int) and 0 < number < self._number + 1
        self._counts["late" if known else "refused"] += 1


def _response(answer: Message, n_used: int) -> np.ndarray | None:
    """What an answer holds, None where it is an error or no response of this frame."""
    try:
        found = answer.array("response", np.complex64, 1)
    except WireError:
        return None
    good = answer.kind == "estimated" and len(found) == n_used and np.isfinite(found).all()
    return found if good else None


def check_deadline(deadline_s: float) -> float:
    """``deadline_s`` if it is permitted; :class:`ConfigError` otherwise."""
    if not isinstance(deadline_s, (int, float)) or isinstance(deadline_s, bool):
        raise ConfigError(f"estimator_deadline_s is {deadline_s!r}, permitted: a number")
    require_range("estimator_deadline_s", deadline_s, *DEADLINES_S)
    return float(deadline_s)
