# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual ADALM-PLUTO: the IIO daemon of one on a loopback address, its samples in the air.

drop        all connections are cut
stall       nothing is answered for ``seconds``
overflow    received samples are lost for ``seconds`` of air time, at least once
underflow   the transmitter gets nothing for ``seconds`` of air time, at least once
unplug      connections are cut, nobody listens, until ``reconnect`` or ``seconds`` later
reconnect   power on again, with everything as at first
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING

from semcom_blocks.air.config import DeviceConfig
from semcom_blocks.air.device import FAULTS, Tuning
from semcom_blocks.air.pluto.chip import Chip
from semcom_blocks.air.pluto.connection import Connection
from semcom_blocks.air.pluto.cores import adc_device, dac_device
from semcom_blocks.air.pluto.dds import ToneBank
from semcom_blocks.air.pluto.phy import phy_device
from semcom_blocks.air.pluto.ports import Loopback, PlutoRx, PlutoTx
from semcom_blocks.air.pluto.registers import Registers
from semcom_blocks.air.pluto.station import Station
from semcom_blocks.errors import RadioError, require_choice

if TYPE_CHECKING:
    from semcom_blocks.air.engine import Air

logger = logging.getLogger(__name__)

DEFAULT_PORT = 30431
#: A client has two or three; each costs a thread.
MAX_CONNECTIONS = 64
#: How long threads may take to notice their end.
JOIN_S = 2.0


class VirtualPluto:
    """Implements :class:`semcom_blocks.air.device.Device`."""

    def __init__(self, config: DeviceConfig) -> None:
        self.name = config.name
        self._config = config
        self._events: Counter[str] = Counter(underflows=0, overflows=0, clients=0, faults=0)
        self._loopback = Loopback()
        self._rx = PlutoRx(Tuning(1e6, 1e9, 0.0, 1e6), self._loopback, self._events)
        self._tx = PlutoTx(Tuning(1e6, 1e9, 0.0, 1e6), self._loopback, self._events)
        self.rx = (self._rx,)
        self.tx = (self._tx,)
        self._air: Air | None = None
        self._station: Station | None = None
        self._listener: socket.socket | None = None
        self._connections: dict[Connection, threading.Thread] = {}
        self._serving = threading.Lock()  # guards the two above and the timer
        self._timer: threading.Timer | None = None
        self._power_on()

    # ------------------------------------------------------------------ Device

    def start(self, air: Air) -> None:
        self._air = air
        self._station = Station(air.lock, air.wait_for, self._rx, self._tx)
        self._describe()
        self._listen()

    def stop(self) -> None:
        self._cut(listener_too=True)

    def fault(self, kind: str, seconds: float) -> None:
        require_choice("fault", kind, FAULTS)
        if self._air is None or self._station is None:
            raise RadioError(f"device {self.name} has not been started")
        self._events["faults"] += 1
        if kind == "drop":
            self._cut(listener_too=False)
        elif kind == "stall":
            self._station.stall(seconds)
        elif kind == "unplug":
            self._unplug(seconds)
        elif kind == "reconnect":
            self._reconnect()
        else:
            with self._air.lock:
                (self._rx.deaf if kind == "overflow" else self._tx.starved).open(seconds)
                self._air.lock.notify_all()

    def counters(self) -> dict[str, int]:
        return {**self._events, "connections": len(self._connections)}

    # ------------------------------------------------------------------ power

    def _power_on(self) -> None:
        """Everything as it comes out of the box; lock held once the air runs."""
        agc = self._config.agc is not False
        self._tones = ToneBank()
        self._tx.tones = self._tones
        self._rx.status = self._tx.status = 0
        self._rx.buffer = self._tx.buffer = None
        self._chip = Chip(self._tune, agc)
        self._rx.tuning.agc = False
        self._tune()
        self._describe()

    def _describe(self) -> None:
        if self._station is None:
            return
        rx, tx = self._rx, self._tx
        devices = (
            phy_device(
                self._chip,
                lambda: rx.tuning.gain_db,
                rx.rssi_db,
                Registers(lambda: 0, lambda bits: None).attribute(),
            ),
            dac_device(
                self._chip,
                self._tones,
                Registers(lambda: tx.status, tx.clear),
                lambda: tx.buffer.filled if tx.buffer else 0,
                self._tune,
            ),
            adc_device(
                self._chip,
                Registers(lambda: rx.status, rx.clear),
                lambda: rx.buffer.filled if rx.buffer else 0,
            ),
        )
        about = {
            "hw_model": "Analog Devices PlutoSDR Rev.C (Z7010-AD9363A), virtual",
            "hw_model_variant": "0",
            "hw_serial": self._config.serial or f"virtual-{self.name}",
            "fw_version": "v0.38",
            "ad9361-phy,xo_correction": str(self._chip.reference_hz),
            "ad9361-phy,model": "ad9363a",
        }
        self._station.describe("virtual PlutoSDR in the semcom air", about, devices)

    def _tune(self) -> None:
        """The chip's setting into both tunings; the air learns of it."""
        chip = self._chip
        rate_hz = chip.clocks.sample_rate_hz
        for port, side in ((self._rx, chip.rx), (self._tx, chip.tx)):
            port.tuning.sample_rate_hz = rate_hz
            port.tuning.lo_hz = chip.lo_hz(side)
            port.tuning.bandwidth_hz = float(side.bandwidth_hz)
        self._tx.tuning.gain_db = chip.tx.gain_db
        agc = chip.gain_mode != "manual"
        if not agc or not self._rx.tuning.agc:
            # While it is automatic, the gain is the air's; going manual, it stays there.
            if self._rx.tuning.agc:
                chip.rx.gain_db = float(round(self._rx.tuning.gain_db))
            self._rx.tuning.gain_db = chip.rx.gain_db
        self._rx.tuning.agc = agc
        if self._loopback.on != bool(chip.loopback):
            self._loopback.switch(bool(chip.loopback))
        if self._air is not None:
            self._air.retuned(self)

    # ------------------------------------------------------------------ sockets

    def _listen(self) -> None:
        address = (self._config.address, self._config.port or DEFAULT_PORT)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(MAX_CONNECTIONS)
        except OSError as error:
            listener.close()
            raise RadioError(
                f"device {self.name} cannot listen on {address[0]}:{address[1]}: {error.strerror}"
            ) from error
        with self._serving:
            self._listener = listener
        threading.Thread(
            target=self._accept, args=(listener,), name=f"{self.name} accept", daemon=True
        ).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:  # closed: stopped or unplugged
                return
            with self._serving:
                if self._listener is not listener or len(self._connections) >= MAX_CONNECTIONS:
                    sock.close()
                    continue
                connection = Connection(sock, self._station)
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name=f"{self.name} client", daemon=True
                )
                self._connections[connection] = thread
                self._events["clients"] += 1
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._serving:
                self._connections.pop(connection, None)

    def _cut(self, *, listener_too: bool) -> None:
        """End all connections, and with the listener any chance of new ones."""
        with self._serving:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if listener_too and self._listener is not None:
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept, which close does not
                self._listener.close()
                self._listener = None
            connections = dict(self._connections)
        for connection in connections:
            connection.cut()
        if self._air is not None:
            with self._air.lock:
                self._air.lock.notify_all()
        for thread in connections.values():
            if thread.ident is not None:
                thread.join(JOIN_S)

    def _unplug(self, seconds: float) -> None:
        self._cut(listener_too=True)
        with self._air.lock:
            self._power_on()
        if seconds > 0:
            with self._serving:
                self._timer = threading.Timer(seconds, self._reconnect)
                self._timer.daemon = True
                self._timer.start()

    def _reconnect(self) -> None:
        with self._serving:
            if self._listener is not None:
                return  # it is plugged in
        self._listen()
        logger.info("device %s is back", self.name)
