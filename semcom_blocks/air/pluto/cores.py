# SPDX-License-Identifier: GPL-3.0-or-later
"""``cf-ad9361-lpc`` and ``cf-ad9361-dds-core-lpc``: the cores that stream samples.

Their sampling frequency is the chip's.  The eightfold decimation and interpolation of the
FPGA are not modelled: an eighth of the chip's rate is listed, and refused when asked for.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from semcom_blocks.air.pluto.chip import Chip
from semcom_blocks.air.pluto.dds import (
    FULL_TURN_MDEG,
    MAX_SCALE,
    PHASES,
    SCALE_STEP,
    TONES,
    Tone,
    ToneBank,
)
from semcom_blocks.air.pluto.iio import (
    Attribute,
    Attributes,
    Channel,
    IioDevice,
    channel_attributes,
    constant,
    number,
    parse_float,
    parse_int,
)
from semcom_blocks.air.pluto.registers import Registers

ADC_ID = "iio:device3"
DAC_ID = "iio:device2"
ADC_FORMAT = "le:S12/16>>0"
DAC_FORMAT = "le:S16/16>>0"
FPGA_FACTOR = 8


def _sampling(chip: Chip) -> Attributes:
    def write(text: str) -> None:
        rate_hz = chip.reported_rate_hz
        if abs(parse_int(text, 0, 2**31) - rate_hz) > 1:
            raise OSError(errno.EINVAL, f"{text.strip()!r:.40} is not the chip's {rate_hz} Hz")

    rate = Attribute(lambda: str(chip.reported_rate_hz), write)
    rates = Attribute(lambda: f"{chip.reported_rate_hz} {chip.reported_rate_hz // FPGA_FACTOR} ")
    return {"sampling_frequency": rate, "sampling_frequency_available": rates}


def _stream_channels(chip: Chip, output: bool, scan_format: str) -> list[Channel]:
    channels = []
    for index in (0, 1):
        name = f"voltage{index}"
        attributes = {
            "calibphase": number(-3.15, 3.15, 0.0, ".6f"),
            "calibscale": number(-2.0, 2.0, 1.0, ".6f"),
            **_sampling(chip),
        }
        if not output:
            attributes["calibbias"] = number(-(2**15), 2**15 - 1, 0, ".0f")
        shared = "sampling_frequency sampling_frequency_available"
        named = channel_attributes(name, output, attributes, shared=shared)
        channels.append(Channel(name, output, named, None, index, scan_format))
    return channels


def _buffer_attributes(waiting: Callable[[], int]) -> Attributes:
    return {
        "data_available": Attribute(lambda: str(waiting())),
        "length_align_bytes": constant("8"),
        "watermark": number(1, 2**31 - 1, 2048, ".0f"),
    }


def adc_device(chip: Chip, registers: Registers, waiting: Callable[[], int]) -> IioDevice:
    """``waiting`` tells how many samples are queued for the client."""
    channels = _stream_channels(chip, False, ADC_FORMAT)
    debug = {"direct_reg_access": registers.attribute()}
    return IioDevice(
        ADC_ID, "cf-ad9361-lpc", tuple(channels), {}, debug, _buffer_attributes(waiting)
    )


def _tone_attributes(chip: Chip, tone: Tone, changed: Callable[[], None]) -> Attributes:
    def set_frequency(text: str) -> None:
        tone.set_frequency(parse_float(text, 0, 2**31), chip.clocks.sample_rate_hz)
        changed()

    def set_phase(text: str) -> None:
        turn = parse_int(text, 0, FULL_TURN_MDEG)
        tone.phase = round(turn * PHASES / FULL_TURN_MDEG) % PHASES
        changed()

    def set_scale(text: str) -> None:
        scale = parse_float(text, -MAX_SCALE, MAX_SCALE)
        tone.scale = round(scale / SCALE_STEP) * SCALE_STEP
        changed()

    def set_raw(text: str) -> None:
        tone.raw = bool(parse_int(text, 0, 1))
        changed()

    return {
        "frequency": Attribute(
            lambda: str(round(tone.frequency_hz(chip.clocks.sample_rate_hz))), set_frequency
        ),
        "phase": Attribute(lambda: str(round(tone.phase * FULL_TURN_MDEG / PHASES)), set_phase),
        "raw": Attribute(lambda: str(int(tone.raw)), set_raw),
        "scale": Attribute(lambda: f"{tone.scale:.6f}", set_scale),
        **_sampling(chip),
    }


def dac_device(
    chip: Chip,
    bank: ToneBank,
    registers: Registers,
    waiting: Callable[[], int],
    changed: Callable[[], None],
) -> IioDevice:
    """``changed`` is called when a tone was set."""
    channels = _stream_channels(chip, True, DAC_FORMAT)
    for index, (name, tone) in enumerate(zip(TONES, bank.tones)):  # noqa: B905
        key = f"altvoltage{index}"
        attributes = channel_attributes(
            key,
            True,
            _tone_attributes(chip, tone, changed),
            name=name,
            shared="sampling_frequency sampling_frequency_available",
        )
        channels.append(Channel(key, True, attributes, name))
    debug = {"direct_reg_access": registers.attribute()}
    return IioDevice(
        DAC_ID, "cf-ad9361-dds-core-lpc", tuple(channels), {}, debug, _buffer_attributes(waiting)
    )
