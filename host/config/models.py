# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a run as frozen pydantic models, units in every name.

A run is: one picture and one prompt, a codec, a link, two radios, a channel, the
seed of everything random in it, and where the processes find each other.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from host.config.allocation import AllocationConfig
from host.config.base import Frozen
from host.config.generation import GenerationConfig, ModelsConfig
from semcom_blocks.link.arq import ArqConfig as ArqDefaults
from semcom_blocks.phy.framer import DEFAULT_ANALOG_PER_FRAME
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.recording.writer import DEFAULT_LIMIT_BYTES
from semcom_blocks.remote_estimator import DEADLINE_S, DEADLINES_S

RADIO_SIM = "sim"
# The refiner gains most there, and at 1/12 above 10 dB it spoils more than it brings.
COARSE_RATE = "1/24"
RADIO_FILE_PREFIX = "file:"
RADIO_PLUTO = "pluto"
RADIO_USRP = "usrp"
# Kinds whose bare name stands for two virtual ones that the demo starts by itself.
RADIO_KINDS = (RADIO_PLUTO, RADIO_USRP)
# Patience of the ARQ where buffers of a device and its driver lie on the way, both ways: a
# round trip takes a tenth of a second, or seconds where virtual radios share busy processors.
DEVICE_DEFAULTS = {"link.arq.initial_rto_s": 2.0, "link.arq.give_up_s": 60.0}
RADIO_SPECS = "sim, file:PATH, pluto:URI, usrp:ARGS"

SEED_MAX = 2**31 - 1  # fits every generator that a run seeds, and a signed 32-bit block parameter
PORT_LOW = 1024  # below it a port needs privileges
PORT_HIGH = 65535

Port = Annotated[int, Field(ge=PORT_LOW, le=PORT_HIGH)]
# What semcom_blocks.transport takes: IPv4 or a name, or * for every address.
Host = Annotated[
    str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)$")
]


class ChannelConfig(Frozen):
    """The software channel between two simulated radios.

    Its parameters are defined in ``semcom_blocks.channel.config``; here they are held
    to what a link of these numerologies can be asked to carry.
    """

    # "none" leaves the samples as they were sent.
    model: Literal["awgn", "rayleigh", "multipath", "none"] = "awgn"
    # Es/N0 per complex data symbol after the FFT.
    snr_db: float = Field(20.0, ge=-10, le=60)
    cfo_hz: float = Field(0.0, ge=-100e3, le=100e3)
    sro_ppm: float = Field(0.0, ge=-100, le=100)
    # RMS of the exponential power-delay profile; beyond the cyclic prefix carriers interfere.
    delay_spread_s: float = Field(1e-6, ge=0, le=20e-6)
    hold_power: bool = False
    # Linewidth of the oscillators together.
    phase_noise_hz: float = Field(0.0, ge=0, le=1e3)
    iq_gain_db: float = Field(0.0, ge=-6, le=6)
    iq_phase_deg: float = Field(0.0, ge=-30, le=30)
    # Relative to a signal of unit power; absent means none.
    dc_offset_db: float | None = Field(None, ge=-100, le=20)
    # Absent means samples without quantisation or clipping.
    adc_bits: int | None = Field(None, ge=1, le=16)


class CodecConfig(Frozen):
    """What turns the picture into complex symbols."""

    # Complex symbols per source value (k/n, n = 3·H·W).
    rate: Literal["1/24", "1/12", "1/6", "1/3"] = "1/6"
    # Whether the SNR differs from frame to frame, or frames are lost: the code is then a more
    # patient one. "auto": as the channel is that this run makes, yes where nobody knows.
    fading: Literal["auto", "yes", "no"] = "auto"


class ArqConfig(Frozen):
    """Selective repeat of the prompt's packets; see ``semcom_blocks.link.arq``."""

    window: int = Field(ArqDefaults.window, ge=1, le=256)
    # Absent: what suits the feedback.
    initial_rto_s: float | None = Field(None, ge=ArqDefaults.min_rto_s, le=ArqDefaults.max_rto_s)
    # Sends of one packet after which the sender gives up.
    max_attempts: int = Field(ArqDefaults.max_attempts, ge=1, le=255)
    # Whole time the sender may spend on one prompt.
    give_up_s: float = Field(ArqDefaults.give_up_s, ge=0.1, le=3600)


class LinkConfig(Frozen):
    """How prompt packets are protected."""

    # "air": on the radio's return frequency, or the way back of the simulated air.
    feedback: Literal["none", "zmq", "air"] = "zmq"
    # How often each packet is sent when there is no feedback.
    repeats: int = Field(3, ge=1, le=20)
    # Analog symbols of a frame: longer frames cost less, shorter ones lose less.
    analog_per_frame: int = Field(DEFAULT_ANALOG_PER_FRAME, ge=1, le=32768)
    # Of each analog stream before it is cut into frames.
    interleaver: Literal["golden", "none", "random"] = "golden"
    # Of the analog symbols of a frame; "dft": of the data carriers of each OFDM symbol.
    precoding: Literal["none", "frame", "dft"] = "frame"
    # Silence after which the receiver closes a job whose end it missed.
    idle_timeout_s: float = Field(3.0, ge=0.1, le=60)
    arq: ArqConfig = ArqConfig()


class LevelConfig(Frozen):
    """Transmit level; see ``semcom_blocks.phy.modulator``."""

    # Mean power of the time-domain signal, 1 is unit power.
    power: float = Field(1.0, ge=1e-6, le=1e3)
    # Peaks above this ratio to the mean are clipped and filtered; absent leaves them.
    papr_limit_db: float | None = Field(None, ge=3, le=20)


class RadioConfig(Frozen):
    """The radio of one or both ends and its receiver."""

    spec: str = Field(RADIO_SIM, description=RADIO_SPECS)
    # The receiver's radio where one command drives both; absent means the same as spec.
    rx_spec: str | None = Field(None, description=RADIO_SPECS)
    sample_rate_hz: float = Field(1e6, ge=1e4, le=100e6)
    # "cgan" asks the model service, and is "lmmse" for frames that it does not answer in time.
    estimator: Literal["ls", "linear", "spline", "dft", "lmmse", "cgan"] = "lmmse"
    estimator_deadline_s: float = Field(DEADLINE_S, ge=DEADLINES_S[0], le=DEADLINES_S[1])
    equalizer: Literal["mmse", "zf"] = "mmse"
    # The rest is for a Pluto or a USRP, and explained in semcom_blocks.radio.job.FrontEnd.
    center_freq_hz: float = Field(2.45e9, ge=1e6, le=10e9)
    return_freq_hz: float = Field(2.47e9, ge=1e6, le=10e9)
    tx_gain_db: float | None = Field(None, ge=-90, le=100)
    rx_gain_db: float | None = Field(None, ge=-20, le=100)
    bandwidth_hz: float | None = Field(None, ge=1e4, le=1e9)
    lo_offset_hz: float = Field(0.0, ge=-100e6, le=100e6)
    drive_dbfs: float = Field(-12.0, ge=-60, le=0)
    tx_antenna: str | None = Field(None, max_length=64, description="a port's name")
    rx_antenna: str | None = Field(None, max_length=64, description="a port's name")
    cyclic: bool = False
    # How long a job is repeated once it was handed over.
    cyclic_s: float = Field(10.0, ge=0.1, le=86400)
    buffer_samples: int | None = Field(None, ge=256, le=2**26)
    kernel_buffers: int = Field(4, ge=2, le=64)
    profile: str | None = Field(None, max_length=4096, description="a file, a folder or none")
    # Of the two virtual radios that the demo starts for a bare kind: one this fast, one as slow.
    clock_ppm: float = Field(10.0, ge=-100, le=100)
    air_clock: Literal["virtual", "real"] = "virtual"

    @model_validator(mode="after")
    def _known_radio(self) -> RadioConfig:
        for spec in (self.spec, self.rx_spec):
            if spec is not None:
                _check_spec(spec)
        return self

    @property
    def is_sim(self) -> bool:
        """Whether samples travel over ZMQ through the software channel."""
        return self.spec == RADIO_SIM

    @property
    def kind(self) -> str:
        """``sim``, ``file``, ``pluto`` or ``usrp``."""
        return self.spec.partition(":")[0]

    @property
    def is_hardware(self) -> bool:
        """Whether the sending radio is a Pluto or a USRP, virtual ones included."""
        return self.kind in RADIO_KINDS

    @property
    def wants_air(self) -> bool:
        """Whether ``spec`` is a bare kind: two virtual radios are to be started for it."""
        return self.spec in RADIO_KINDS


def _check_spec(spec: str) -> None:
    kind, colon, argument = spec.partition(":")
    bare = spec in (RADIO_SIM, *RADIO_KINDS)
    named = colon and argument and kind in (RADIO_FILE_PREFIX[:-1], *RADIO_KINDS)
    if not bare and not named:
        raise ValueError(f"{spec!a} is no radio, permitted: {RADIO_SPECS}")
    if "\0" in spec:
        raise ValueError(f"{spec!a} holds a NUL, permitted: text without one")


class NumerologyConfig(Frozen):
    """Sizes of the OFDM waveform; ``semcom_blocks.phy.numerology`` checks that they fit."""

    fft_size: int = Numerology.fft_size
    cp_len: int = Numerology.cp_len
    n_used: int = Numerology.n_used
    n_comb: int = Numerology.n_comb
    block_period: int = Numerology.block_period

    @model_validator(mode="after")
    def _fits(self) -> NumerologyConfig:
        Numerology.from_dict(self.model_dump())
        return self


class NetworkConfig(Frozen):
    """Where the processes meet.

    A command that starts all of them itself (``demo``) takes free ports instead.
    """

    # Address that this machine's sockets bind; loopback unless asked.
    bind: Host = Field("127.0.0.1", description="a host name or address")
    # Machine on which the receiving radio runs, as the sender sees it.
    peer: Host = Field("127.0.0.1", description="a host name or address")
    host_port: Port = 5570
    source_port: Port = 5560
    sink_port: Port = 5561
    feedback_port: Port = 5562
    samples_port: Port = 5563
    return_port: Port = 5564
    # A flowgraph in Companion shows received pictures.
    picture_port: Port = 5565


class RecordingConfig(Frozen):
    """What is on the air, kept as a SigMF pair; see ``semcom_blocks.recording``."""

    # Absent: nothing is kept.
    path: str | None = Field(None, min_length=1, max_length=4096, description="a file's name")
    # Which radio keeps it, where a command starts both: what one sent, or what the other received.
    side: Literal["rx", "tx"] = "rx"
    max_mb: float = Field(DEFAULT_LIMIT_BYTES / 1e6, ge=2, le=8e6)

    @model_validator(mode="after")
    def _is_a_path(self) -> RecordingConfig:
        if self.path is not None and "\0" in self.path:
            raise ValueError(f"{self.path!a} holds a NUL, permitted: text without one")
        return self


class RunConfig(Frozen):
    """Everything that decides the outcome of a run."""

    image: str = Field("chelsea", min_length=1, max_length=4096)
    # None: the picture's own caption, see host.prompts.
    prompt: str | None = None
    seed: int = Field(1, ge=0, le=SEED_MAX)
    channel: ChannelConfig = ChannelConfig()
    codec: CodecConfig = CodecConfig()
    generation: GenerationConfig = GenerationConfig()
    allocation: AllocationConfig = AllocationConfig()
    models: ModelsConfig = ModelsConfig()
    link: LinkConfig = LinkConfig()
    radio: RadioConfig = RadioConfig()
    level: LevelConfig = LevelConfig()
    numerology: NumerologyConfig = NumerologyConfig()
    network: NetworkConfig = NetworkConfig()
    recording: RecordingConfig = RecordingConfig()

    @property
    def known_channel(self) -> ChannelConfig | None:
        """The channel that this run makes, be it in software or by the air of virtual radios.

        None with devices that have names, and where samples stay as they were sent.
        """
        nobodys = self._between_devices or self.channel.model == "none"
        return None if nobodys else self.channel

    @property
    def _between_devices(self) -> bool:
        """Whether devices have names, so that nobody sets what lies between them."""
        return self.radio.is_hardware and not self.radio.wants_air

    @property
    def fades(self) -> bool:
        """Whether the codec is told that the channel fades."""
        if self.codec.fading != "auto":
            return self.codec.fading == "yes"
        return self._between_devices or self.channel.model in ("rayleigh", "multipath")

    @model_validator(mode="before")
    @classmethod
    def _coarse_is_cheap(cls, given: Any) -> Any:
        """A picture to be refined goes at COARSE_RATE unless a rate is asked for."""
        if not isinstance(given, dict):
            return given
        wanted, codec = given.get("generation"), given.get("codec", {})
        if isinstance(wanted, dict) and wanted.get("coarse") is True and isinstance(codec, dict):
            given = {**given, "codec": {"rate": COARSE_RATE, **codec}}
        return given

    @model_validator(mode="after")
    def _has_a_way_back(self) -> RunConfig:
        if self.link.feedback == "air" and self.radio.spec.startswith(RADIO_FILE_PREFIX):
            raise ValueError("link.feedback 'air' with a recording, permitted: zmq, none")
        return self
