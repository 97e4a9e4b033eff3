# SPDX-License-Identifier: GPL-3.0-or-later
"""The two flowgraphs of the testbed, put together from a job."""

from dataclasses import replace
from typing import Any

from gnuradio import gr

from semcom_blocks.errors import RadioError
from semcom_blocks.gr.channel_estimator import ChannelEstimator
from semcom_blocks.gr.equalizer import Equalizer
from semcom_blocks.gr.feedback_socket import FeedbackSink, FeedbackSource
from semcom_blocks.gr.finite_guard import FiniteGuard
from semcom_blocks.gr.frame_sync import FrameSyncBlock
from semcom_blocks.gr.ofdm_demodulator import OfdmDemodulator
from semcom_blocks.gr.ofdm_modulator import OfdmModulator
from semcom_blocks.gr.pilot_inserter import PilotInserter
from semcom_blocks.gr.prompt_arq_receiver import PromptArqReceiver
from semcom_blocks.gr.prompt_arq_sender import PromptArqSender
from semcom_blocks.gr.radio_monitor import RadioMonitor
from semcom_blocks.gr.semantic_sink import SemanticSink
from semcom_blocks.gr.semantic_source import SemanticSource
from semcom_blocks.gr.software_channel import SoftwareChannelBlock
from semcom_blocks.phy.estimators import FALLBACK, REMOTE
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.radio.interface import Radio, open_radio
from semcom_blocks.radio.job import RadioJob
from semcom_blocks.radio.record import add_recorder
from semcom_blocks.radio.return_link import add_ack_receiver, add_ack_transmitter


class Flowgraph(gr.top_block):
    """A top block that keeps its Python blocks alive: GNU Radio holds only their C++ halves."""

    def __init__(self, name: str) -> None:
        # With exceptions caught, a raising Python block would leave wait() hanging for ever.
        gr.top_block.__init__(self, name, catch_exceptions=False)
        self._kept: list[Any] = []

    @property
    def failed(self) -> RadioError | None:
        """Why a radio was lost, None while all is well."""
        errors = (getattr(block, "failed", None) for block in self._kept)
        return next((error for error in errors if error is not None), None)

    def chain(self, *blocks: Any) -> None:
        """Connect stream blocks in a row."""
        self._kept.extend(blocks)
        self.connect(*blocks)

    def message(self, source: Any, output: str, target: Any, port: str) -> None:
        """Connect a message port to another."""
        self._kept.extend((source, target))
        self.msg_connect(source, output, target, port)


def _numerology(job: RadioJob, ends: Radio) -> Numerology:
    """The job's, at the rate that the radio really has."""
    rate_hz = ends.sample_rate_hz
    return job.numerology if rate_hz is None else replace(job.numerology, sample_rate_hz=rate_hz)


def transmitter(job: RadioJob) -> Flowgraph:
    """Semantic Source → ARQ → pilots → OFDM → (software channel) → radio."""
    link, ends = job.link, open_radio(job)
    num = _numerology(job, ends)
    top = Flowgraph("semcom transmitter")
    source = SemanticSource(job.endpoints.source, numerology=num, interleaver=link.interleaver)
    arq = PromptArqSender(config=link.arq_config(), session=link.session)
    pilots = PilotInserter(num, link.analog_per_frame, precoding=link.precoding)
    modulator = OfdmModulator(num, job.level.power, job.level.papr_limit_db)
    radio = ends.sink()
    top.message(source, "message", arq, "message")
    top.message(source, "analog", pilots, "payload")
    top.message(arq, "packets", pilots, "payload")
    top.message(pilots, "grid", modulator, "grid")
    top.message(modulator, "status", pilots, "sent")
    for block in (arq, pilots, modulator, radio):
        top.message(block, "status", source, "status")
    if link.feedback == "zmq":
        feedback = FeedbackSource(job.endpoints.feedback)
        top.message(feedback, "ack", arq, "ack")
    elif link.feedback == "air":
        # Acknowledgements are short and robust: they do not ask the model service.
        local = FALLBACK if job.estimator == REMOTE else job.estimator
        add_ack_receiver(top, ends.source(), arq, num, local, job.equalizer)
    if job.channel is None:
        stream = modulator
    else:
        stream = SoftwareChannelBlock(job.channel)
        top.chain(modulator, stream)
    top.chain(stream, radio)
    add_recorder(top, job, num, stream, ends.gains_db.get("tx"))
    if ends.is_device:
        top.message(RadioMonitor(ends), "status", source, "status")
    return top


def receiver(job: RadioJob) -> Flowgraph:
    """Radio → guard → sync → OFDM → estimate → equalise → ARQ and Semantic Sink."""
    link, ends = job.link, open_radio(job)
    num = _numerology(job, ends)
    top = Flowgraph("semcom receiver")
    sync = FrameSyncBlock(num)
    demodulator = OfdmDemodulator(num)
    estimator = ChannelEstimator(num, job.estimator, job.endpoints.host, job.estimator_deadline_s)
    equalizer = Equalizer(num, job.equalizer)
    arq = PromptArqReceiver()
    sink = SemanticSink(job.endpoints.sink, num, link.idle_timeout_s)
    radio = ends.source()
    top.chain(radio, FiniteGuard(), sync)
    top.message(sync, "frames", demodulator, "frames")
    top.message(demodulator, "grid", estimator, "grid")
    top.message(estimator, "estimate", equalizer, "estimate")
    top.message(equalizer, "packets", arq, "packets")
    top.message(equalizer, "frames", sink, "frames")
    top.message(arq, "message", sink, "message")
    if link.feedback == "zmq":
        feedback = FeedbackSink(job.endpoints.feedback, job.allow_remote)
        top.message(arq, "ack", feedback, "ack")
    recorder = add_recorder(top, job, num, radio, ends.gains_db.get("rx"))
    if recorder is not None:
        top.message(equalizer, "frames", recorder, "frames")
        top.message(sync, "bad", recorder, "bad")
    if link.feedback == "air":
        add_ack_transmitter(top, arq, ends.sink(), num, job.level, job.channel)
    if ends.is_device:
        monitor = RadioMonitor(ends, {"frames_gapped": lambda: sync.counters["gapped"]})
        top.message(monitor, "status", sink, "message")
    return top
