# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between the waveform and any device: shift, correction, and one block around it.

transmit   shift to the oscillator's place → level, image, offset → … → device
receive    device → … → offset, image → shift back
"""

import math
from typing import Any

from gnuradio import blocks, gr

from semcom_blocks.errors import ConfigError, RadioError
from semcom_blocks.gr.front_end import ReceiveFrontEnd, TransmitFrontEnd
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.radio.job import FrontEnd, RadioJob
from semcom_blocks.radio.profile import Profile

#: Departure of the reported sample rate from the wanted one that is refused.
RATE_TOLERANCE = 0.005
#: Shift in carriers that is left to the receiver's own carrier synchronisation.
MIN_SHIFT = 0.01
COMPLEX_BYTES = gr.sizeof_gr_complex


def carriers_of(job: RadioJob) -> tuple[float, float]:
    """(transmit, receive) carrier of a process: acknowledgements go the other way round."""
    front = job.front
    data_hz, return_hz = front.center_freq_hz, front.return_freq_hz
    return (data_hz, return_hz) if job.role == "tx" else (return_hz, data_hz)


def check_rate(name: str, wanted_hz: float, reported_hz: float) -> float:
    """The reported sample rate; :class:`RadioError` if it is too far off."""
    if abs(reported_hz - wanted_hz) > RATE_TOLERANCE * wanted_hz:
        raise RadioError(
            f"sample_rate_hz is {wanted_hz:g}, {name} makes it {reported_hz:g}, "
            f"permitted: within {RATE_TOLERANCE:.1%}"
        )
    return reported_hz


def check_value(name: str, value: float, low: float, high: float, what: str) -> float:
    """``value`` within what the radio ``name`` says it can do."""
    if not low <= value <= high:
        raise RadioError(f"{what} is {value:g}, permitted by {name}: {low:g} to {high:g}")
    return value


def _shift(shift_hz: float, numerology: Numerology) -> list[Any]:
    """Blocks that move a stream up by ``shift_hz``; none where it makes no difference."""
    if abs(shift_hz) < MIN_SHIFT * numerology.spacing_hz:
        return []
    edge_hz = (numerology.n_used / 2 + 1) * numerology.spacing_hz
    room_hz = numerology.sample_rate_hz / 2 - edge_hz
    if abs(shift_hz) > room_hz:
        raise ConfigError(
            f"lo_offset_hz leaves {shift_hz:g} Hz to shift, permitted at this sample rate: "
            f"{-room_hz:g} to {room_hz:g}"
        )
    return [blocks.rotator_cc(2 * math.pi * shift_hz / numerology.sample_rate_hz)]


def transmit_stages(
    shift_hz: float, numerology: Numerology, front: FrontEnd, profile: Profile
) -> list[Any]:
    """Blocks in order; the last is a :class:`TransmitFrontEnd`.

    ``shift_hz``: carrier minus what the oscillator was set to.
    """
    gain = 10 ** (front.drive_dbfs / 20)
    last = TransmitFrontEnd(gain, profile.tx_conjugate, profile.tx_offset)
    return [*_shift(shift_hz, numerology), last]


def receive_stages(shift_hz: float, numerology: Numerology, profile: Profile) -> list[Any]:
    """Blocks in order, perhaps none."""
    stages: list[Any] = []
    if profile.rx_conjugate or profile.rx_offset:
        stages.append(ReceiveFrontEnd(profile.rx_conjugate, profile.rx_offset))
    return stages + _shift(-shift_hz, numerology)


class RadioSink(gr.hier_block2):
    """A chain that ends in a device; ``reporter`` is the block in it that has port ``status``."""

    def __init__(self, chain: list[Any], reporter: Any) -> None:
        gr.hier_block2.__init__(
            self,
            "Radio Sink",
            gr.io_signature(1, 1, COMPLEX_BYTES),
            gr.io_signature(0, 0, 0),
        )
        self._kept = chain
        self._reporter = reporter
        self.message_port_register_hier_out("status")
        self.connect(self, *chain)
        self.msg_connect(reporter, "status", self, "status")

    @property
    def failed(self) -> RadioError | None:
        """Why the chain cannot go on."""
        return getattr(self._reporter, "failed", None)


class RadioSource(gr.hier_block2):
    """A chain that begins with a device."""

    def __init__(self, chain: list[Any]) -> None:
        gr.hier_block2.__init__(
            self,
            "Radio Source",
            gr.io_signature(0, 0, 0),
            gr.io_signature(1, 1, COMPLEX_BYTES),
        )
        self._kept = chain
        self.connect(*chain, self)
