# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio ``pluto:URI``: an ADALM-Pluto, or another AD936x board, by libiio and gr-iio."""

import re
from dataclasses import replace
from typing import Any

from semcom_blocks.errors import RadioError
from semcom_blocks.gr.burst_filler import BurstFiller
from semcom_blocks.gr.cyclic_burst import CyclicBurst
from semcom_blocks.gr.gaps import BUFFER_KEY, BufferGaps
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.radio.interface import Radio
from semcom_blocks.radio.job import RadioJob
from semcom_blocks.radio.libiio import IioContext, reason
from semcom_blocks.radio.profile import load_profile
from semcom_blocks.radio.stages import (
    RadioSink,
    RadioSource,
    carriers_of,
    check_rate,
    check_value,
    receive_stages,
    transmit_stages,
)

PHY, ADC, DAC = "ad9361-phy", "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc"
#: Rates that the AD936x makes with its filters; an eighth of them needs an FPGA's help.
RATE_RANGE_HZ = (520_834, 61_440_000)
#: Gains of a radio without a profile: with 30 dB between two Plutos the mean is 15 dB below full
#: scale, so that the peaks of OFDM fit.
DEFAULT_TX_GAIN_DB = -20.0
DEFAULT_RX_GAIN_DB = 30.0
#: Length of a libiio buffer: long enough for one round trip over USB, short enough for the ARQ.
BUFFER_S = 4e-3
MIN_BUFFER = 1024
#: … of one that is repeated: a second at 1 MS/s.
CYCLIC_SAMPLES = 2**20
#: Status of the converter's core; a bit stays until it is written.
STATUS_REGISTER = 0x80000088
UNDERFLOW_BIT, OVERFLOW_BIT = 1, 4


def _range(text: str) -> tuple[float, float]:
    """``[low step high]`` of an attribute ``…_available``."""
    numbers = [float(word) for word in re.findall(r"-?\d+(?:\.\d+)?", text)]
    if len(numbers) != 3:
        raise RadioError(f"range is {text!r:.60}, permitted: [low step high]")
    return numbers[0], numbers[2]


def _iio() -> Any:
    try:
        from gnuradio import iio
    except ImportError as error:
        raise RadioError(f"driver gr-iio is missing ({error}); see ./semcom doctor") from None
    return iio


class PlutoRadio(Radio):
    """One transmitter and one receiver, each opened when it is asked for."""

    is_device = True

    def __init__(self, job: RadioJob, argument: str) -> None:
        if not argument:
            raise RadioError(
                "radio is 'pluto:', permitted: pluto:URI, such as pluto:ip:192.168.2.1"
            )
        self._job, self._uri = job, argument
        self._name = f"pluto:{argument}"
        self._streams: dict[str, Any] = {}
        self._watched: dict[str, tuple[int, int]] = {}
        self._counters: dict[str, int] = {}
        self._gains_db: dict[str, float] = {}
        self._gaps: BufferGaps | None = None
        self._front_end: Any = None
        _iio()
        self._context = IioContext(argument)
        self._profile = load_profile(
            job.front.profile, self._context.attribute("hw_serial"), "pluto"
        )
        if self._profile.xo_correction_hz is not None:
            self._context.write_device(PHY, "xo_correction", str(self._profile.xo_correction_hz))
        self._rate_hz = self._set_rate(job.numerology.sample_rate_hz)

    @property
    def sample_rate_hz(self) -> float:
        """What the radio reports."""
        return self._rate_hz

    @property
    def gains_db(self) -> dict[str, float]:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        return dict(self._gains_db)

    def sink(self) -> RadioSink:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        job, front = self._job, self._job.front
        carrier_hz = carriers_of(job)[0]
        channel = self._context.channel(PHY, "voltage0", True)
        lo = self._context.channel(PHY, "altvoltage1", True)
        shift_hz = self._tune(lo, carrier_hz)
        self._set_bandwidth(channel)
        gain_db = _first(front.tx_gain_db, self._profile.tx_gain_db, DEFAULT_TX_GAIN_DB)
        self._set_gain(channel, gain_db, "tx_gain_db")
        stages = transmit_stages(shift_hz, self._numerology(), front, self._profile)
        self._front_end = stages[-1]
        size = self._buffer_samples(front.cyclic)
        reporter: Any
        if front.cyclic:
            reporter = CyclicBurst(size)
        else:
            # On their way at the end of a job: the kernel's queue, and two buffers above it.
            tail = (front.kernel_buffers + 2) * size
            reporter = BurstFiller(tail, -self._profile.tx_offset)
        self._context.set_kernel_buffers(DAC, front.kernel_buffers)
        self._watch("underflows", DAC, UNDERFLOW_BIT)
        device = self._open(
            "transmitter", _iio().fmcomms2_sink_fc32, self._uri, [True, True], size, front.cyclic
        )
        self._streams["tx"] = device
        return RadioSink([*stages, reporter, device], reporter)

    def source(self) -> RadioSource:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        job, front = self._job, self._job.front
        carrier_hz = carriers_of(job)[1]
        channel = self._context.channel(PHY, "voltage0", False)
        lo = self._context.channel(PHY, "altvoltage0", True)
        shift_hz = self._tune(lo, carrier_hz)
        self._set_bandwidth(channel)
        self._context.write(channel, "gain_control_mode", "manual")
        gain_db = _first(front.rx_gain_db, self._profile.rx_gain_db, DEFAULT_RX_GAIN_DB)
        self._set_gain(channel, gain_db, "rx_gain_db")
        stages = receive_stages(shift_hz, self._numerology(), self._profile)
        self._context.set_kernel_buffers(ADC, front.kernel_buffers)
        self._watch("overflows", ADC, OVERFLOW_BIT)
        device = self._open(
            "receiver", _iio().fmcomms2_source_fc32, self._uri, [True, True], self._buffer_samples()
        )
        device.set_len_tag_key(BUFFER_KEY)
        self._streams["rx"] = device
        self._gaps = BufferGaps(front.kernel_buffers + 1)
        return RadioSource([device, self._gaps, *stages])

    def poll(self) -> None:
        """Read and clear the status registers."""
        for name, (device, bit) in self._watched.items():
            side = "rx" if name == "overflows" else "tx"
            if not self._moved(side):
                continue
            found = bool(self._context.register(device, STATUS_REGISTER) & bit)
            if found:
                self._context.set_register(device, STATUS_REGISTER, bit)
            if name not in self._counters:  # what happened before the stream began
                self._counters[name] = 0
            elif found:
                self._counters[name] += 1
                if name == "overflows" and self._gaps is not None:
                    self._gaps.report()

    def flows(self) -> list[tuple[str, int, bool]]:
        """Both directions flow without end, but for a buffer that the radio repeats."""
        cyclic = self._job.front.cyclic
        return [(side, self._moved(side), not (cyclic and side == "tx")) for side in self._streams]

    def counters(self) -> dict[str, int]:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        found = {name: self._counters.get(name, 0) for name in self._watched}
        if self._front_end is not None:
            found["clipped"] = self._front_end.clipped
        return found

    def _moved(self, side: str) -> int:
        """Samples that gr-iio took from the radio or gave to it."""
        stream = self._streams[side]
        return int(stream.nitems_written(0) if side == "rx" else stream.nitems_read(0))

    def _numerology(self) -> Numerology:
        return replace(self._job.numerology, sample_rate_hz=self._rate_hz)

    def _buffer_samples(self, cyclic: bool = False) -> int:
        if self._job.front.buffer_samples is not None:
            return self._job.front.buffer_samples
        if cyclic:
            return CYCLIC_SAMPLES
        size = MIN_BUFFER
        while size < BUFFER_S * self._rate_hz:
            size *= 2
        return size

    def _set_rate(self, wanted_hz: float) -> float:
        channel = self._context.channel(PHY, "voltage0", False)
        check_value(self._name, wanted_hz, *RATE_RANGE_HZ, "sample_rate_hz")
        # The other direction may stream already, in another process: touch nothing needlessly.
        reported_hz = float(self._context.read(channel, "sampling_frequency"))
        if abs(reported_hz - wanted_hz) > 1:
            self._context.set_rate(round(wanted_hz))
            reported_hz = float(self._context.read(channel, "sampling_frequency"))
        return check_rate(self._name, wanted_hz, reported_hz)

    def _tune(self, lo: int, carrier_hz: float) -> float:
        """Set an oscillator; returns how far the carrier is above where it really stands."""
        wanted_hz = carrier_hz + self._job.front.lo_offset_hz
        low, high = _range(self._context.read(lo, "frequency_available"))
        check_value(self._name, wanted_hz, low, high, "oscillator frequency in Hz")
        asked_hz = self._profile.lo_hz(wanted_hz)
        self._context.write(lo, "frequency", str(round(asked_hz)))
        reported_hz = float(self._context.read(lo, "frequency"))
        return carrier_hz - reported_hz * (wanted_hz / asked_hz)

    def _set_bandwidth(self, channel: int) -> None:
        low, high = _range(self._context.read(channel, "rf_bandwidth_available"))
        asked_hz = self._job.front.bandwidth_hz
        if asked_hz is None:
            asked_hz = min(max(self._rate_hz, low), high)
        check_value(self._name, asked_hz, low, high, "bandwidth_hz")
        self._context.write(channel, "rf_bandwidth", str(round(asked_hz)))

    def _set_gain(self, channel: int, gain_db: float, what: str) -> None:
        low, high = _range(self._context.read(channel, "hardwaregain_available"))
        check_value(self._name, gain_db, low, high, what)
        self._context.write(channel, "hardwaregain", f"{gain_db:.6f}")
        self._gains_db[what.removesuffix("_gain_db")] = gain_db

    def _watch(self, name: str, device: str, bit: int) -> None:
        """Count what the status register says; over USB gr-iio needs the only connection."""
        if not self._uri.startswith("usb"):
            self._watched[name] = (self._context.device(device), bit)

    def _open(self, what: str, make: Any, *arguments: Any) -> Any:
        if self._uri.startswith("usb"):
            self._context.close()
        try:
            return make(*arguments)
        except RuntimeError as error:
            number = re.search(r"-(\d+)\s*$", str(error))
            text = reason(int(number[1])) if number else " ".join(str(error).split())
            raise RadioError(f"{self._name} opens no {what}: {text}") from None


def _first(*values: float | None) -> float:
    """The first that is not ``None``."""
    return next(value for value in values if value is not None)
