# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples to and from a converter: level, DC offset and image, as a calibration found them."""

from typing import Any

import numpy as np
from gnuradio import gr

from semcom_blocks.phy.frontend import correct, predistort


class TransmitFrontEnd(gr.sync_block):
    """Stream in, stream out within full scale; ``clipped`` counts samples that were not."""

    def __init__(self, gain: float = 1.0, conjugate: complex = 0.0, offset: complex = 0.0) -> None:
        gr.sync_block.__init__(
            self, "Transmit Front End", in_sig=[np.complex64], out_sig=[np.complex64]
        )
        self._settings = (gain, conjugate, offset)
        self.clipped = 0

    def work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Predistort; see :meth:`gr.sync_block.work`."""
        samples: Any = input_items[0]
        output_items[0][:], clipped = predistort(samples, *self._settings)
        self.clipped += clipped
        return len(samples)


class ReceiveFrontEnd(gr.sync_block):
    """Stream in, stream out without offset and image."""

    def __init__(self, conjugate: complex = 0.0, offset: complex = 0.0) -> None:
        gr.sync_block.__init__(
            self, "Receive Front End", in_sig=[np.complex64], out_sig=[np.complex64]
        )
        self._settings = (conjugate, offset)

    def work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Correct; see :meth:`gr.sync_block.work`."""
        samples: Any = input_items[0]
        output_items[0][:] = correct(samples, *self._settings)
        return len(samples)
