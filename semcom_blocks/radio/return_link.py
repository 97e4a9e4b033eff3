# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back through the air: acknowledgements as short frames on a frequency of their own.

    receiver   ARQ → Ack Framer → OFDM Modulator → (software channel) → radio
    sender     radio → Finite Guard → Frame Sync → OFDM Demodulator → … → Equalizer → ARQ

Both radios work full duplex: what carries data one way carries acknowledgements the other.
Nothing here is protected beyond its own coding: an acknowledgement that is lost, comes twice or
comes late is ordinary to the ARQ, since each holds all that its receiver has of a message.
"""

from typing import TYPE_CHECKING, Any

from semcom_blocks.channel import ChannelConfig
from semcom_blocks.gr.ack_framer import AckFramerBlock
from semcom_blocks.gr.channel_estimator import ChannelEstimator
from semcom_blocks.gr.equalizer import Equalizer
from semcom_blocks.gr.finite_guard import FiniteGuard
from semcom_blocks.gr.frame_sync import FrameSyncBlock
from semcom_blocks.gr.ofdm_demodulator import OfdmDemodulator
from semcom_blocks.gr.ofdm_modulator import OfdmModulator
from semcom_blocks.gr.software_channel import SoftwareChannelBlock
from semcom_blocks.phy.modulator import TransmitLevel
from semcom_blocks.phy.numerology import Numerology

if TYPE_CHECKING:
    from semcom_blocks.radio.flowgraph import Flowgraph

#: Zero samples around a burst of acknowledgements: what the synchroniser's scan block and its
#: look-ahead need to see a frame's end, and no more, since every one delays the answer.
ACK_GAP_SAMPLES = 6_000
#: Acknowledgements that wait for a radio that is slow; newer ones say all that older ones said.
MAX_WAITING_ACKS = 32


def add_ack_transmitter(
    top: "Flowgraph",
    arq: Any,
    radio_sink: Any,
    numerology: Numerology,
    level: TransmitLevel,
    channel: ChannelConfig | None = None,
) -> None:
    """Send what comes out of ``arq`` port ``ack`` by ``radio_sink``."""
    framer = AckFramerBlock(numerology)
    modulator = OfdmModulator(
        numerology,
        level.power,
        level.papr_limit_db,
        gap_samples=ACK_GAP_SAMPLES,
        max_waiting=MAX_WAITING_ACKS,
    )
    top.message(arq, "ack", framer, "ack")
    top.message(framer, "grid", modulator, "grid")
    if channel is None:
        top.chain(modulator, radio_sink)
    else:
        top.chain(modulator, SoftwareChannelBlock(channel), radio_sink)


def add_ack_receiver(
    top: "Flowgraph",
    radio_source: Any,
    arq: Any,
    numerology: Numerology,
    estimator: str = "lmmse",
    equalizer: str = "mmse",
) -> None:
    """Hand the acknowledgements that ``radio_source`` hears to ``arq`` port ``ack``."""
    demodulator = OfdmDemodulator(numerology)
    estimate = ChannelEstimator(numerology, estimator)
    equalize = Equalizer(numerology, equalizer)
    sync = FrameSyncBlock(numerology, acks=True)
    top.chain(radio_source, FiniteGuard(), sync)
    top.message(sync, "frames", demodulator, "frames")
    top.message(demodulator, "grid", estimate, "grid")
    top.message(estimate, "estimate", equalize, "estimate")
    top.message(equalize, "packets", arq, "ack")
