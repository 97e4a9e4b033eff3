# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sender knows of its channel: the SNR of each data carrier in the last blocks.

Bounds on errors are sums of exponentials of the SNR, and so need of the knowledge only its Laplace
transform, the mean of e^(−c·γ) over carriers (and blocks).  It is tabulated once per report over c
and over groups of carriers; that of any run of groups is a difference of running sums.  A channel
that stands still and one that fades from block to block need no different rules: expectations are
taken over what was seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semcom_blocks.errors import ConfigError

Array = NDArray[np.float64]

#: Blocks that are remembered.
WINDOW = 8
#: Groups of carriers whose borders bands may have.
GROUPS = 12
#: c times the mean SNR: from no attenuation to one that no band survives.
_SCALES = np.geomspace(1e-4, 3e3, 48)
SNR_RANGE_DB = (-40.0, 80.0)  # of a report; beyond it is a fault
#: A block of which no word came back was at least this much worse than what was known.
LOST_DB = 3.0
#: Before anything is known: a mean SNR at which the prompt gets through, in block Rayleigh.
ASSUMED_DB = 6.0


class ChannelView:
    """SNR at unit power of ``n_data`` data carriers, linear, in up to ``window`` blocks."""

    def __init__(self, n_data: int, window: int = WINDOW) -> None:
        if n_data < 2 or window < 1:
            raise ConfigError(f"{n_data} carriers, window {window}, permitted: from 2, from 1")
        self.n_data = n_data
        self.groups = min(GROUPS, n_data)
        #: First carrier of each group and the end, int64 (groups + 1,).
        self.edges = np.round(np.linspace(0, n_data, self.groups + 1)).astype(int)
        self._seen: deque[Array] = deque(maxlen=window)
        self._lost = 0

    @property
    def known(self) -> bool:
        """Whether anything was reported."""
        return bool(self._seen)

    @property
    def lost(self) -> int:
        """Blocks since the last report of which no word came."""
        return self._lost

    def observe_bands(self, snr_db: Sequence[float], carriers: Sequence[int]) -> None:
        """A report of ``snr_db`` of bands of ``carriers``, from the lowest carrier on.

        Carriers beyond the last band are taken to be like those of the last.
        """
        if len(snr_db) != len(carriers) or not carriers or sum(carriers) > self.n_data:
            raise ConfigError(
                f"{len(snr_db)} SNRs for bands of {list(carriers)} carriers, permitted: "
                f"one each, up to {self.n_data} carriers"
            )
        snr = np.repeat(_linear(snr_db), carriers)
        self._note(np.pad(snr, (0, self.n_data - len(snr)), mode="edge"))

    def observe_carriers(self, snr: ArrayLike) -> None:
        """A report of the linear SNR of every data carrier, (n_data,)."""
        snr = np.asarray(snr, float)
        if snr.shape != (self.n_data,):
            raise ConfigError(f"SNRs have shape {snr.shape}, permitted: ({self.n_data},)")
        with np.errstate(divide="ignore", invalid="ignore"):
            self._note(_linear(10 * np.log10(snr)))

    def miss(self) -> None:
        """A block went out and no word of it came back."""
        self._lost += 1
        self._forget()

    def _note(self, snr: Array) -> None:
        self._seen.append(snr)
        self._lost = 0
        self._forget()

    def _forget(self) -> None:
        self.__dict__.pop("snr", None)
        self.__dict__.pop("_tables", None)

    @cached_property
    def snr(self) -> Array:
        """What is planned for, linear, (blocks, n_data); an assumption where nothing is known."""
        if not self._seen:
            shares = (np.arange(WINDOW) + 0.5) / WINDOW
            fades = 10 ** (ASSUMED_DB / 10) * -np.log1p(-shares)
            found = np.repeat(fades[:, None], self.n_data, axis=1)
        else:
            found = np.stack(self._seen)
        return found * 10 ** (-LOST_DB * self._lost / 10)

    @cached_property
    def _tables(self) -> tuple[Array, Array]:
        """ln c (K,), and running sums of e^(−c·γ) over groups (K, blocks, groups + 1)."""
        c = _SCALES / self.snr.mean()
        faded = np.exp(-np.multiply.outer(c, self.snr))  # (K, blocks, n_data)
        sums = np.add.reduceat(faded, self.edges[:-1], axis=2).cumsum(axis=2)
        return np.log(c), np.concatenate([np.zeros((*sums.shape[:2], 1)), sums], axis=2)

    def transform(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[Array, Array]:
        """ln c (K,) and −ln of the mean of e^(−c·γ), (K, blocks, n), rising with c.

        Over the carriers of groups ``first`` … ``last`` − 1, (n,) each.
        """
        log_c, sums = self._tables
        width = self.edges[last] - self.edges[first]
        mean = (sums[:, :, last] - sums[:, :, first]) / width
        return log_c, -np.log(np.maximum(mean, 1e-300))

    def least_scale(
        self, first: NDArray[np.int64], last: NDArray[np.int64], levels: ArrayLike
    ) -> Array:
        """The least c at which the mean of e^(−c·γ) is each of ``levels`` (m,), as (n, m).

        Over carriers and blocks; infinity where even the largest tabulated c does not reach it.
        """
        log_c, sums = self._tables
        width = self.edges[last] - self.edges[first]
        total = sums.mean(axis=1)  # (K, groups + 1)
        depth = -np.log(np.maximum((total[:, last] - total[:, first]) / width, 1e-300))
        wanted = -np.log(np.asarray(levels, float))  # (m,)
        above = (depth[:, :, None] < wanted).sum(axis=0)  # (n, m): first row at or beyond it
        high = np.clip(above, 1, len(log_c) - 1)
        column = np.arange(len(width))[:, None]
        near, far = depth[high - 1, column], depth[high, column]
        share = np.minimum((wanted - near) / np.maximum(far - near, 1e-12), 1.0)
        found = log_c[high - 1] + share * (log_c[high] - log_c[high - 1])
        return np.where(above < len(log_c), np.exp(found), np.inf)


def _linear(snr_db: ArrayLike) -> Array:
    snr_db = np.atleast_1d(np.asarray(snr_db, float))
    low, high = SNR_RANGE_DB
    bad = ~((snr_db >= low) & (snr_db <= high))
    if np.any(bad):
        raise ConfigError(f"SNR is {snr_db[bad][0]:g} dB, permitted: {low:g} to {high:g}")
    return 10 ** (snr_db / 10)
