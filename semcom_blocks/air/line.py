# SPDX-License-Identifier: GPL-3.0-or-later
"""What a transmitter has sent lately: the stretch of samples that paths look at."""

from __future__ import annotations

import numpy as np

from semcom_blocks.air.config import DeviceConfig
from semcom_blocks.air.device import TxPort
from semcom_blocks.channel.iq import IqImbalance


class TransmitLine:
    """Samples of one transmit channel, its attenuator and mixer applied.

    Before a step of n samples from ``count`` on, :meth:`pull` makes samples
    ``count - behind`` to ``count + n + ahead`` available.  What lies ahead is what a
    converter would have in its queue: paths interpolate with it, so that they add no delay.
    """

    def __init__(self, config: DeviceConfig) -> None:
        mixer = IqImbalance(config.tx_iq_gain_db, config.tx_iq_phase_deg, config.tx_dc_offset_dbfs)
        self._mixer = mixer if mixer.image != 0 or mixer.dc != 0 else None
        self._behind = self._ahead = 0
        self._next = 0  # number of the next sample to take
        self._first = 0  # number of _samples[0]
        self._samples: np.ndarray | None = None  # None is silence

    def reach(self, behind: int, ahead: int) -> None:
        """A path looks so many samples back and ahead; the line grows and never shrinks."""
        self._behind = max(self._behind, behind)
        self._ahead = max(self._ahead, ahead)

    def restart(self, count: int) -> None:
        """Forget all; ``count`` is the next sample."""
        self._next = count
        self._samples = None

    def missing(self, count: int, n: int) -> int:
        """How many samples a step of ``n`` from ``count`` on will take."""
        return count + n + self._ahead - self._next

    def pull(self, port: TxPort, count: int, n: int) -> None:
        """Lock held: take what is missing for a step of ``n`` samples from ``count`` on."""
        missing = self.missing(count, n)
        iq = port.take(missing, self._next) if missing > 0 and port.streaming() else None
        first = count - self._behind
        old = self._samples
        kept = None if old is None else old[max(0, first - self._first) :]
        if iq is None and (kept is None or not kept.any()):
            self._samples = None
        else:
            line = np.zeros(self._next + max(missing, 0) - first, dtype=np.complex64)
            if kept is not None:
                end = self._next - first
                line[end - kept.size : end] = kept
            if iq is not None:
                self._attenuate(iq, port.tuning.gain_db, line[line.size - missing :])
            self._samples = line
        self._first = first
        self._next += max(missing, 0)

    def window(self, first: int, n: int) -> np.ndarray | None:
        """Samples ``first`` to ``first + n``, complex64 (n,); None if all is silent."""
        if self._samples is None:
            return None
        start = first - self._first
        if start >= 0 and start + n <= self._samples.size:
            return self._samples[start : start + n]
        # Not taken yet, or forgotten already: a path that was changed a moment ago.
        found = np.zeros(n, dtype=np.complex64)
        low, high = max(start, 0), min(start + n, self._samples.size)
        if low < high:
            found[low - start : high - start] = self._samples[low:high]
        return found

    def _attenuate(self, iq: np.ndarray, gain_db: float, out: np.ndarray) -> None:
        if self._mixer is not None:
            iq = self._mixer.process(iq)
        scale = np.float32(10 ** (gain_db / 20))
        np.multiply(iq.view(np.float32), scale, out=out.view(np.float32))
