# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio ``usrp:ARGS``: a USRP by UHD and gr-uhd; ARGS as ``uhd_find_devices --args`` takes them."""

import time
from dataclasses import replace
from typing import Any

from semcom_blocks.errors import RadioError
from semcom_blocks.gr.burst_reporter import BurstReporter
from semcom_blocks.gr.cyclic_burst import CyclicBurst
from semcom_blocks.gr.gaps import TimeGaps
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.radio.interface import Radio
from semcom_blocks.radio.job import RadioJob
from semcom_blocks.radio.profile import Profile, load_profile
from semcom_blocks.radio.stages import (
    RadioSink,
    RadioSource,
    carriers_of,
    check_rate,
    check_value,
    receive_stages,
    transmit_stages,
)

#: Transmit gain of a radio without a profile, below its largest: an amplifier well off its limit.
TX_BACKOFF_DB = 20.0
#: … and receive gain above its smallest, as far as it goes.
DEFAULT_RX_GAIN_DB = 30.0
#: How often a device is asked whether it is there; the answer takes a millisecond.
ASK_S = 1.0
#: What UHD's long complaints mean, in the order in which they are looked for.
_REASONS = (
    ("No devices found", "no such device found"),
    ("claim", "busy: another program has claimed it"),
    ("Connection refused", "nothing answers there"),
    ("imeout", "it does not answer in time"),
)


def _uhd() -> Any:
    try:
        from gnuradio import uhd
    except ImportError as error:
        raise RadioError(f"driver gr-uhd is missing ({error}); see ./semcom doctor") from None
    return uhd


class UsrpRadio(Radio):
    """One transmitter and one receiver of the device, each opened when it is asked for."""

    is_device = True

    def __init__(self, job: RadioJob, argument: str) -> None:
        if not argument:
            raise RadioError("radio is 'usrp:', permitted: usrp:ARGS, such as usrp:type=b200")
        self._job, self._arguments = job, argument
        self._name = f"usrp:{argument}"
        self._profile = Profile()
        self._rate_hz = 0.0
        self._devices: dict[str, Any] = {}
        self._gains_db: dict[str, float] = {}
        self._reporter: BurstReporter | None = None
        self._gaps: TimeGaps | None = None
        self._front_end: Any = None
        self._asked_s = time.monotonic()
        self._open("tx" if job.role == "tx" else "rx")

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
        front = self._job.front
        device = self._open("tx")
        shift_hz = self._tune(device, carriers_of(self._job)[0])
        self._set_bandwidth(device)
        gains = device.get_gain_range(0)
        default_db = max(gains.start(), gains.stop() - TX_BACKOFF_DB)
        self._set_gain(device, (front.tx_gain_db, self._profile.tx_gain_db, default_db), "tx")
        self._set_antenna(device, front.tx_antenna, "tx_antenna")
        stages = transmit_stages(shift_hz, self._numerology(), front, self._profile)
        self._front_end = stages[-1]
        self._reporter = BurstReporter()
        cycle = [CyclicBurst()] if front.cyclic else []
        chain = [*stages, *cycle, self._reporter, device]
        sink = RadioSink(chain, cycle[0] if cycle else self._reporter)
        sink.msg_connect(device, "async_msgs", self._reporter, "async_msgs")
        return sink

    def source(self) -> RadioSource:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        front = self._job.front
        device = self._open("rx")
        shift_hz = self._tune(device, carriers_of(self._job)[1])
        self._set_bandwidth(device)
        gains = device.get_gain_range(0)
        default_db = min(gains.stop(), gains.start() + DEFAULT_RX_GAIN_DB)
        self._set_gain(device, (front.rx_gain_db, self._profile.rx_gain_db, default_db), "rx")
        self._set_antenna(device, front.rx_antenna, "rx_antenna")
        self._gaps = TimeGaps(self._rate_hz)
        stages = receive_stages(shift_hz, self._numerology(), self._profile)
        return RadioSource([device, self._gaps, *stages])

    def poll(self) -> None:
        """Ask the device for its time now and then: a lost one goes on in silence else."""
        now_s = time.monotonic()
        if now_s - self._asked_s < ASK_S:
            return
        self._asked_s = now_s
        try:
            next(iter(self._devices.values())).get_time_now(0)
        except RuntimeError as error:
            text = " ".join(str(error).split())
            raise RadioError(f"{self._name} does not answer: {text[:120]}") from None

    def flows(self) -> list[tuple[str, int, bool]]:
        """Received samples flow without end, transmitted ones while there are any."""
        found = []
        if self._gaps is not None:
            found.append(("rx", int(self._devices["rx"].nitems_written(0)), True))
        if self._reporter is not None:
            taken = int(self._devices["tx"].nitems_read(0))
            found.append(("tx", taken, self._reporter.nitems_written(0) > taken))
        return found

    def counters(self) -> dict[str, int]:
        """See :class:`~semcom_blocks.radio.interface.Radio`."""
        found: dict[str, int] = {}
        if self._gaps is not None:
            found |= {"overflows": self._gaps.overflows, "lost_samples": self._gaps.lost_samples}
        if self._reporter is not None:
            found |= self._reporter.counters
            found["clipped"] = self._front_end.clipped
        return found

    def _numerology(self) -> Numerology:
        return replace(self._job.numerology, sample_rate_hz=self._rate_hz)

    def _open(self, side: str) -> Any:
        """gr-uhd's block of one side; both of a process share the device."""
        if side in self._devices:
            return self._devices[side]
        uhd = _uhd()
        stream = uhd.stream_args(cpu_format="fc32", args="", channels=[0])
        wanted_hz = self._job.numerology.sample_rate_hz
        try:
            if side == "tx":
                # No length tag: bursts are marked by tx_sob and tx_eob.
                device = uhd.usrp_sink(self._arguments, stream, "")
            else:
                device = uhd.usrp_source(self._arguments, stream)
            device.set_samp_rate(wanted_hz)
            reported_hz = device.get_samp_rate()
            serial = _serial(device)
        except (RuntimeError, ValueError, LookupError) as error:
            raise self._lost(error) from None
        self._rate_hz = check_rate(self._name, wanted_hz, reported_hz)
        self._profile = load_profile(self._job.front.profile, serial, "usrp")
        self._devices[side] = device
        return device

    def _lost(self, error: Exception) -> RadioError:
        text = " ".join(str(error).split())
        found = next((words for part, words in _REASONS if part in text), text[:200])
        return RadioError(f"{self._name} cannot be opened: {found}")

    def _tune(self, device: Any, carrier_hz: float) -> float:
        """Set an oscillator; returns how far the carrier is above what comes out at 0 Hz."""
        offset_hz = self._job.front.lo_offset_hz
        limits = device.get_freq_range(0)
        wanted_hz = carrier_hz + offset_hz
        check_value(
            self._name, wanted_hz, limits.start(), limits.stop(), "oscillator frequency in Hz"
        )
        asked_hz = self._profile.lo_hz(carrier_hz)
        # The device takes the offset back by its own oscillator in the samples, where it has one.
        device.set_center_freq(_uhd().tune_request(asked_hz, offset_hz), 0)
        return carrier_hz - device.get_center_freq(0) * (carrier_hz / asked_hz)

    def _set_bandwidth(self, device: Any) -> None:
        asked_hz = self._job.front.bandwidth_hz
        limits = device.get_bandwidth_range(0)
        if asked_hz is None:
            return  # the driver follows the sample rate
        check_value(self._name, asked_hz, limits.start(), limits.stop(), "bandwidth_hz")
        device.set_bandwidth(asked_hz, 0)

    def _set_gain(self, device: Any, choices: tuple[float | None, ...], side: str) -> None:
        gain_db = next(value for value in choices if value is not None)
        limits = device.get_gain_range(0)
        check_value(self._name, gain_db, limits.start(), limits.stop(), f"{side}_gain_db")
        device.set_gain(gain_db, 0)
        self._gains_db[side] = gain_db

    def _set_antenna(self, device: Any, name: str | None, what: str) -> None:
        if name is None:
            return
        known = tuple(device.get_antennas(0))
        if name not in known:
            raise RadioError(f"{what} is {name!r}, permitted by {self._name}: {', '.join(known)}")
        device.set_antenna(name, 0)


def _serial(device: Any) -> str:
    """Serial number of the motherboard, empty where the device tells none."""
    try:
        info = device.get_usrp_info(0)
        return str(info["mboard_serial"])
    except (RuntimeError, LookupError):
        return ""
