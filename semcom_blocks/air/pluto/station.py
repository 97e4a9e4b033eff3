# SPDX-License-Identifier: GPL-3.0-or-later
"""What all connections of one virtual Pluto share: its IIO devices and its two buffers.

A device can be open once; a second opener gets EBUSY, after a moment in which the first
may turn out to have left: clients close one socket and open the next without waiting.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from semcom_blocks.air.pluto.buffers import (
    SAMPLE_BYTES,
    Branches,
    ReceiveBuffer,
    TransmitBuffer,
)
from semcom_blocks.air.pluto.context import context_xml
from semcom_blocks.air.pluto.cores import ADC_ID, DAC_ID
from semcom_blocks.air.pluto.iio import IioDevice
from semcom_blocks.air.pluto.ports import PlutoRx, PlutoTx

#: Kernel buffers of a device, until a client says otherwise.
DEFAULT_BLOCKS = 4
MAX_BLOCKS = 64
#: One buffer, and all of a device: a Pluto's contiguous memory would hold less.
MAX_BUFFER_BYTES = 64 << 20
MAX_QUEUE_BYTES = 256 << 20
#: What a client's wait is limited to before any has set a time-out.
DEFAULT_TIMEOUT_MS = 2500
BUSY_PATIENCE_S = 0.5


class Station:
    """``lock`` and ``wait_for`` are the air's; the lock guards everything here."""

    def __init__(
        self,
        lock: threading.Condition,
        wait_for: Callable[[Callable[[], bool], float], bool],
        rx: PlutoRx,
        tx: PlutoTx,
    ) -> None:
        self.lock = lock
        self.wait_for = wait_for
        self.timeout_ms = DEFAULT_TIMEOUT_MS
        self.xml = b""
        self._rx = rx
        self._tx = tx
        self._blocks: dict[str, int] = {}
        self._devices: dict[str, IioDevice] = {}
        self._stalled_until = 0.0

    def describe(
        self, description: str, about: Mapping[str, str], devices: Iterable[IioDevice]
    ) -> None:
        """Put these devices in place, as after power-on."""
        self._devices = {device.id: device for device in devices}
        self._blocks = {}
        self.xml = context_xml(description, about, self._devices.values())

    def device(self, name: str) -> IioDevice:
        """By identifier, else by name as newer clients write it; ENODEV if there is none."""
        for device in self._devices.values():
            if name in (device.id, device.name):
                return device
        raise OSError(errno.ENODEV, f"no device {name!r:.40}")

    def stall(self, seconds: float) -> None:
        """Answer nobody for so long."""
        self._stalled_until = time.monotonic() + seconds

    def stalled_for(self, seconds: float) -> bool:
        """Sleep while stalled, ``seconds`` at most; whether it lasts still."""
        left_s = self._stalled_until - time.monotonic()
        if left_s > 0:
            time.sleep(min(left_s, seconds))
        return left_s > seconds

    # ------------------------------------------------------------------ buffers, lock held

    def _port(self, name: str) -> PlutoRx | PlutoTx:
        device = self.device(name)
        if device.id == ADC_ID:
            return self._rx
        if device.id == DAC_ID:
            return self._tx
        raise OSError(errno.ENODEV, f"{device.name} has no buffer")

    def set_blocks(self, name: str, blocks: int) -> None:
        """The number of kernel buffers, for the next time the device is opened."""
        port = self._port(name)
        if not 1 <= blocks <= MAX_BLOCKS:
            raise OSError(errno.EINVAL, f"{blocks} kernel buffers, permitted: 1 to {MAX_BLOCKS}")
        self._wait_free(port)
        self._blocks[self.device(name).id] = blocks

    def open(
        self, name: str, samples: int, branches: Branches, cyclic: bool
    ) -> ReceiveBuffer | TransmitBuffer:
        port = self._port(name)
        if not branches:
            raise OSError(errno.EINVAL, "channel mask permits 1 (I), 2 (Q) and 3 (both)")
        if samples < 1:
            raise OSError(errno.EINVAL, "buffer has no samples")
        blocks = self._blocks.get(self.device(name).id, DEFAULT_BLOCKS)
        size = samples * SAMPLE_BYTES * len(branches)
        if size > MAX_BUFFER_BYTES or size * blocks > MAX_QUEUE_BYTES:
            raise OSError(errno.ENOMEM, f"{blocks} buffers of {size} bytes are too much")
        self._wait_free(port)
        if isinstance(port, PlutoTx):
            port.buffer = TransmitBuffer(samples, blocks, branches, cyclic)
        elif cyclic:
            raise OSError(errno.EINVAL, "a receiver has no cyclic buffer")
        else:
            port.buffer = ReceiveBuffer(samples, blocks, branches)
        self.lock.notify_all()
        return port.buffer

    def _wait_free(self, port: PlutoRx | PlutoTx) -> None:
        end = time.monotonic() + BUSY_PATIENCE_S
        while port.buffer is not None:
            left_s = end - time.monotonic()
            if left_s <= 0:
                raise OSError(errno.EBUSY, "the device is open already")
            self.lock.wait(left_s)

    def close(self, name: str, buffer: ReceiveBuffer | TransmitBuffer) -> None:
        """What is queued is lost, as with the real one: draining is the client's business."""
        port = self._port(name)
        if port.buffer is buffer:  # or power was lost since, and it is another client's
            port.buffer = None
            self.lock.notify_all()
