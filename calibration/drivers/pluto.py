# SPDX-License-Identifier: GPL-3.0-or-later
"""A Pluto (AD936x behind libiio) by pyadi-iio: cyclic buffers, fixed gains, digital loopback."""

from __future__ import annotations

import contextlib
import errno
import logging
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from calibration.drivers.base import Limits
from semcom_blocks.errors import ConfigError, RadioError, require_range

#: What the chip can, with the filter that pyadi-iio loads for low rates.
RATE_RANGE_HZ = (521e3, 61.44e6)
#: Converter codes: 12 bits received, 16 bits handed over of which the radio uses the upper 12.
RX_FULL_SCALE = 2048.0
TX_FULL_SCALE = 32767.0
#: A network's round trip is milliseconds; a radio that is silent this long is gone.
TIMEOUT_MS = 5000
#: libiio keeps this many buffers; so many, and two to settle, are old after a change.
KERNEL_BUFFERS = 4
SETTLE_BUFFERS = 2
#: Samples thrown away after a change, at least: the analog filters and loops of the chip settle.
SETTLE_SAMPLES = 1 << 14
#: Register of the converter interfaces: bit 2 is an overflow; written back it is cleared.
STATUS_REGISTER, OVERFLOW = 0x80000088, 0x4
#: How often a record that lost samples is taken again.
TRIES = 3
PERIODS = 4  # of the waveform in a buffer of ``there_and_back``; their mean is taken

_URI = re.compile(r"(ip|usb|serial|local):[!-~]{0,200}", re.ASCII)
_log = logging.getLogger(__name__)


class Pluto:
    """See :class:`calibration.drivers.base.Radio`."""

    kind = "pluto"
    full_scale_dbm = -10.0

    def __init__(self, uri: str) -> None:
        if not _URI.fullmatch(uri):
            raise ConfigError(f"URI is {uri!a:.80}, permitted: ip:HOST, usb:, usb:B.P.I")
        self.name = f"pluto:{uri}"
        self._sdr = _open(uri)
        with self._named("cannot be set up"):
            self._sdr.ctx.set_timeout(TIMEOUT_MS)
            self.serial = _serial(self._sdr.ctx.attrs)
            self.limits = Limits(
                self._range("voltage0", "hardwaregain_available", True),
                self._range("voltage0", "hardwaregain_available", False),
                self._range("altvoltage0", "frequency_available", True),
            )
            self.xo_hz: float | None = float(self._sdr._ctrl.attrs["xo_correction"].value)
            self._sdr.loopback = 0
            self._sdr.gain_control_mode_chan0 = "manual"
            self._sdr.tx_destroy_buffer()
            self._sdr.disable_dds()
            self._sdr._rxadc.set_kernel_buffers_count(KERNEL_BUFFERS)

    def tune(self, rate_hz: float, tx_lo_hz: float, rx_lo_hz: float) -> tuple[float, float, float]:
        require_range(f"{self.name}: rate_hz", rate_hz, *RATE_RANGE_HZ)
        for name, value in (("tx_lo_hz", tx_lo_hz), ("rx_lo_hz", rx_lo_hz)):
            require_range(f"{self.name}: {name}", value, *self.limits.lo_hz)
        sdr = self._sdr
        with self._named(f"refuses {rate_hz:g} S/s or {tx_lo_hz:g} Hz"):
            self._stop_receiving()
            if round(rate_hz) != int(sdr.sample_rate):
                sdr.sample_rate = round(rate_hz)
            sdr.rx_rf_bandwidth = sdr.tx_rf_bandwidth = round(rate_hz)
            sdr.tx_lo, sdr.rx_lo = round(tx_lo_hz), round(rx_lo_hz)
            return float(sdr.sample_rate), float(sdr.tx_lo), float(sdr.rx_lo)

    def gains(self, tx_db: float | None = None, rx_db: float | None = None) -> None:
        with self._named(f"refuses gains {tx_db}, {rx_db}"):
            if tx_db is not None:
                require_range(f"{self.name}: tx_db", tx_db, *self.limits.tx_db)
                self._sdr.tx_hardwaregain_chan0 = float(tx_db)
            if rx_db is not None:
                require_range(f"{self.name}: rx_db", rx_db, *self.limits.rx_db)
                self._sdr.rx_hardwaregain_chan0 = float(rx_db)

    def transmit(self, waveform: np.ndarray) -> None:
        with self._named("does not transmit"):
            self._sdr.tx_destroy_buffer()
            self._sdr.tx_cyclic_buffer = True
            self._sdr.tx(np.asarray(waveform) * TX_FULL_SCALE)

    def interrupted(self) -> bool:
        return False  # the chip itself repeats the buffer

    def silence(self) -> None:
        with self._named("does not stop transmitting"):
            self._sdr.tx_destroy_buffer()
            self._sdr.disable_dds()

    def receive(self, count: int) -> np.ndarray:
        settle = -(-SETTLE_SAMPLES // count)
        with self._named("does not receive"):
            for _ in range(TRIES):
                self._start_receiving(count)
                for _ in range(settle):
                    self._sdr.rx()
                samples = self._sdr.rx()
                # One buffer is in one piece whatever came before it.
                if len(samples) == count:
                    self._stop_receiving()
                    return np.asarray(samples, dtype=np.complex128) / RX_FULL_SCALE
        raise RadioError(f"{self.name}: does not deliver {count} samples in a row")

    def there_and_back(self, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The chip's digital loopback shows what the converter is given, on the same time base."""
        self.transmit(waveform)
        period = len(waveform)
        with self._named("has no digital loopback"):
            try:
                for _ in range(TRIES):
                    records = [np.zeros(0)] * 2
                    self._sdr.loopback = 1
                    self._start_receiving(PERIODS * period)
                    self._sdr._rxadc.reg_write(STATUS_REGISTER, OVERFLOW)
                    for step in range(2):
                        for _ in range(KERNEL_BUFFERS + SETTLE_BUFFERS):
                            records[step] = self._sdr.rx()
                        self._sdr.loopback = 0
                    if not self._sdr._rxadc.reg_read(STATUS_REGISTER) & OVERFLOW:
                        sent, got = (r.reshape(-1, period).mean(axis=0) for r in records)
                        return sent / RX_FULL_SCALE, got / RX_FULL_SCALE
                    _log.info("%s: samples lost, measuring the delay again", self.name)
            finally:
                self._stop_receiving()
                self._sdr.loopback = 0
        raise RadioError(f"{self.name}: loses samples at this rate, permitted: a lower --rate-hz")

    def close(self) -> None:
        sdr, self._sdr = self._sdr, None
        if sdr is None:
            return
        with contextlib.suppress(Exception):  # it may be gone already
            sdr.tx_destroy_buffer()
            sdr.rx_destroy_buffer()
            sdr.disable_dds()
            sdr.tx_hardwaregain_chan0 = self.limits.tx_db[0]

    def _start_receiving(self, count: int) -> None:
        self._stop_receiving()
        self._sdr.rx_buffer_size = count

    def _stop_receiving(self) -> None:
        self._sdr.rx_destroy_buffer()

    def _range(self, channel: str, attribute: str, output: bool) -> tuple[float, float]:
        """Ends of an attribute like ``[-3 1 71]``."""
        text = self._sdr._ctrl.find_channel(channel, output).attrs[attribute].value
        numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]
        return min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1])

    @contextlib.contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Errors of libiio and pyadi-iio become one line."""
        if self._sdr is None:
            raise RadioError(f"{self.name}: closed")
        try:
            yield
        except (RadioError, ConfigError):
            raise
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.EAGAIN):
                raise RadioError(f"{self.name}: busy, another program has its samples") from None
            if error.errno in (errno.EPIPE, errno.ETIMEDOUT, errno.ECONNRESET, errno.ENODEV):
                raise RadioError(f"{self.name}: gone or not answering ({error})") from None
            raise RadioError(f"{self.name}: {what} ({error.strerror or error})") from None
        except Exception as error:  # pyadi-iio raises bare Exception
            raise RadioError(f"{self.name}: {what} ({error})") from None


def _open(uri: str) -> Any:
    try:
        import adi
    except Exception as error:  # libiio's loader raises more than ImportError
        raise RadioError(
            f"pluto: driver missing ({error}); ./semcom doctor tells how to get it"
        ) from None
    try:
        return adi.Pluto(uri=uri)
    except Exception as error:
        raise RadioError(
            f"pluto:{uri}: no Pluto there ({error}), permitted: the URI that iio_info -s shows"
        ) from None


def _serial(attributes: Any) -> str:
    serial = str(attributes.get("hw_serial", "")).strip()
    return re.sub(r"[^A-Za-z0-9._-]", "-", serial).strip("-.")[:64] or "pluto"
