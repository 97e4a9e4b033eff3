# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft Viterbi decoding of the rate-1/2, K = 7 code, all windows at once.

A trellis cannot be walked without a loop over time, so the trellis is cut into
windows that overlap, and all windows of all code words are walked together
(G. Fettweis, H. Meyr, "Parallel Viterbi algorithm implementation: breaking the
ACS-bottleneck", IEEE Trans. Commun. 37(8), 1989)::

    code word     |===============================================|  steps
    window 0   ...|======core======|look|
    window 1                  |warm|======core======|look|
    window 2                                   |warm|======core===|...

The Python loop therefore runs over one window's steps, however long the
message.  *warm* lets the path metrics, all equal at first, forget that they were
not known; *look* lets the surviving paths merge before the core's decisions are
read.  The ends of a code word need neither: the encoder starts and stops in
state 0.

State = the last six input bits, the newest in the most significant place.  Both
generators have a one in their first and last tap, so the four branches of a
butterfly carry one metric ``x`` with two signs:

    state 2k   --0--> k         E + x          state 2k   --1--> k + 32    E - x
    state 2k+1 --0--> k         O - x          state 2k+1 --1--> k + 32    O + x
"""

import math

import numpy as np
from numpy.typing import NDArray

#: Generators of the code in octal 133 and 171 (the tap of the newest bit is the
#: most significant): free distance 10, the best for K = 7 (Odenwalder 1970),
#: used by CCSDS 131.0-B and IEEE 802.11.
GENERATORS = (0o133, 0o171)
CONSTRAINT_LENGTH = 7
N_STATES = 1 << (CONSTRAINT_LENGTH - 1)

#: Steps of warm-up and of look-ahead.  Measured loss in bit errors against the whole
#: trellis, same noise, shortest core: at Eb/N0 = 1 / 2 / 3 dB six constraint lengths
#: lose 4 / 3.5 / 0 %, eight 1.4 / 0.4 / 0 %, ten nothing that shows.
OVERLAP_STEPS = 10 * CONSTRAINT_LENGTH
#: Fewest decided steps per window: only the first window may begin before the word.
CORE_STEPS_MIN = OVERLAP_STEPS
#: Most decided steps per window, which bounds the Python loop at 652 steps whatever the
#: message; the overlap then costs 2 * 70 / 512 = 27 % extra work.
CORE_STEPS_MAX = 512

#: Magnitude at which an LLR is clipped.  A bit this sure is certain, and sums over
#: a window stay exact enough in float32 to keep the weak bits beside it.
LLR_LIMIT = 1.0e4
#: Metric of a state that cannot be; far below any sum of clipped LLRs.
_IMPOSSIBLE = np.float32(-1.0e9)


def _parity(x: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([bin(int(v)).count("1") & 1 for v in x])


_EVEN_STATES = np.arange(0, N_STATES, 2)
#: Which of the four metrics (l0+l1, l0-l1, -l0+l1, -l0-l1) butterfly k uses, (32,).
_METRIC_OF = 2 * _parity(_EVEN_STATES & GENERATORS[0]) + _parity(_EVEN_STATES & GENERATORS[1])


def bounded(llr: NDArray) -> NDArray[np.float32]:
    """``llr`` as float32 within +-:data:`LLR_LIMIT`, NaN as 0 (an erasure); same shape."""
    # Clipped before the cast, which would warn of numbers that float32 cannot hold.
    clipped = np.minimum(np.maximum(llr, -LLR_LIMIT), LLR_LIMIT).astype(np.float32)
    unknown = np.isnan(clipped)
    if unknown.any():
        clipped[unknown] = 0.0
    return clipped


def viterbi(
    llr: NDArray,
    *,
    core_steps: int | None = None,
    overlap_steps: int = OVERLAP_STEPS,
) -> NDArray[np.uint8]:
    """Most likely input bits of zero-terminated code words.

    ``llr`` is (n_words, n_steps, 2), natural log-likelihood ratios
    ``ln P(c = 0) / P(c = 1)``: positive means bit 0; 0 is an erasure, and so is NaN.
    A common positive factor changes nothing below :data:`LLR_LIMIT`.
    ``core_steps`` is at least ``overlap_steps`` and chosen if not given; words of at
    most ``core_steps + 2 * overlap_steps`` steps are decoded whole.

    Returns (n_words, n_steps) uint8, the six tail bits included.
    """
    n_words, n_steps, _ = llr.shape
    if core_steps is None:
        # A step costs about 10 us plus 0.08 us per window; that is least where the
        # core is near the square root of all steps.
        core_steps = min(max(math.isqrt(n_words * n_steps), CORE_STEPS_MIN), CORE_STEPS_MAX)
    if core_steps < overlap_steps:
        raise ValueError(f"core_steps is {core_steps}, permitted: at least {overlap_steps}")
    if n_steps <= core_steps + 2 * overlap_steps:
        core_steps, overlap_steps = n_steps, 0
    n_windows = -(-n_steps // core_steps)

    padded = np.zeros((n_words, n_windows * core_steps + 2 * overlap_steps, 2), np.float32)
    padded[:, overlap_steps : overlap_steps + n_steps] = bounded(llr)
    width = core_steps + 2 * overlap_steps
    # (n_words, n_windows, 2, width) -> (width, 2, n_words * n_windows): time first,
    # windows last, so that each step works on contiguous rows.
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)[:, ::core_steps]
    steps = windows.transpose(3, 2, 0, 1).reshape(width, 2, n_words * n_windows)

    begins = np.arange(n_words) * n_windows  # the windows that begin a code word
    decisions, last = _forward(steps, overlap_steps, begins)
    # Where a code word ends inside a window, the path there is in state 0.
    end_step = np.tile(n_steps - 1 - np.arange(n_windows) * core_steps, n_words)
    states = _trace_back(decisions, last, end_step, core_steps)
    # (core, n_words * n_windows) -> (n_words, n_windows * core): the newest bit of
    # the state that a step leads to is that step's input.
    bits = (states >> (CONSTRAINT_LENGTH - 2)).astype(np.uint8)
    bits = bits.reshape(core_steps, n_words, n_windows).transpose(1, 2, 0)
    return np.ascontiguousarray(bits.reshape(n_words, -1)[:, :n_steps])


def _forward(
    steps: NDArray[np.float32], warm_steps: int, begins: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Add, compare, select over one window's steps, for all windows.

    ``steps`` is (width, 2, n_windows).  Returns the decisions
    (width - warm, 64, n_windows), True where the odd predecessor won, and the best
    last state (n_windows,).
    """
    width, _, n_windows = steps.shape
    half = N_STATES // 2
    total = steps[:, 0] + steps[:, 1]
    diff = steps[:, 0] - steps[:, 1]
    metrics4 = np.stack((total, diff, -diff, -total), axis=1)  # (width, 4, n_windows)

    metric = np.zeros((N_STATES, n_windows), np.float32)
    other = np.empty_like(metric)
    x, from_even, from_odd = (np.empty((half, n_windows), np.float32) for _ in range(3))
    decisions = np.empty((width - warm_steps, N_STATES, n_windows), np.bool_)
    for step in range(width):
        if step == warm_steps:
            metric[:, begins] = _IMPOSSIBLE
            metric[0, begins] = 0.0
        # Decisions of the warm-up are never read; the first row is overwritten.
        decided = decisions[max(step - warm_steps, 0)]
        even, odd = metric[0::2], metric[1::2]
        np.take(metrics4[step], _METRIC_OF, axis=0, out=x, mode="clip")
        np.add(even, x, out=from_even)
        np.subtract(odd, x, out=from_odd)
        np.greater(from_odd, from_even, out=decided[:half])
        np.maximum(from_even, from_odd, out=other[:half])
        np.subtract(even, x, out=from_even)
        np.add(odd, x, out=from_odd)
        np.greater(from_odd, from_even, out=decided[half:])
        np.maximum(from_even, from_odd, out=other[half:])
        metric, other = other, metric
    return decisions, metric.argmax(axis=0)


def _trace_back(
    decisions: NDArray[np.bool_],
    last: NDArray[np.int64],
    end_step: NDArray[np.int64],
    core_steps: int,
) -> NDArray[np.int64]:
    """States (core, n_windows) that the best paths lead to at each step of the core.

    ``end_step`` (n_windows,) is the step of each window after which its code word
    is over (state 0), or a number outside the window.
    """
    n_steps, n_states, n_windows = decisions.shape
    column = np.arange(n_windows)
    flat = decisions.reshape(n_steps, n_states * n_windows).view(np.uint8)
    states = np.empty((core_steps, n_windows), np.int64)
    state = last
    for step in range(n_steps - 1, -1, -1):
        state = np.where(end_step == step, 0, state)
        if step < core_steps:
            states[step] = state
        odd = flat[step].take(state * n_windows + column)
        state = ((state & (n_states // 2 - 1)) << 1) | odd
    return states
