# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual USRP: what libuhd takes for an E320 at the other end of a network.

    discovery.py   UDP 49600   who is there
    rpc.py         TCP 49601   mpm.py: claim, settings, time
    chdr.py        UDP 49153   network.py: management, registers, samples

Two channels each way, no DDC or DUC: the sample rate is the master clock rate, which
``set_rx_rate`` and ``set_tx_rate`` change, both together.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from semcom_blocks.air.config import DeviceConfig
from semcom_blocks.air.device import RxPort, TxPort
from semcom_blocks.air.usrp import discovery, versions
from semcom_blocks.air.usrp.board import Board
from semcom_blocks.air.usrp.chdr import ChdrError, PacketType
from semcom_blocks.air.usrp.claim import LAPSE_S, Claim
from semcom_blocks.air.usrp.faults import Faults
from semcom_blocks.air.usrp.mpm import Hooks, Identity, Mpm
from semcom_blocks.air.usrp.network import SAMPLES, Network, Peer
from semcom_blocks.air.usrp.server import Datagrams, DatagramService, RpcService, Service, bind
from semcom_blocks.air.usrp.timekeeper import Timekeeper
from semcom_blocks.errors import RadioError, WireError

if TYPE_CHECKING:
    from semcom_blocks.air.engine import Air

RPC_PORT = 49601
CHDR_PORT = 49153

# With a virtual clock air time runs ahead of a client by no more than this: 32 ms at 2 MS/s.
VIRTUAL_WINDOW_BYTES = 256 * 1024
# How often the device looks after claims and faults.
ROUND_S = 0.05
STOP_S = 5.0
# Packets, samples aside, that a stalled device sends when it goes on.
MAX_LATE = 1000


class VirtualUsrp:
    """A virtual USRP; a :class:`semcom_blocks.air.device.Device`.

    Args:
        config: Its part of the air's configuration.  A ``port`` moves discovery there,
            RPC and CHDR to the two behind it (device arguments ``discovery_port``,
            ``rpc_port``); ``uhd`` is one of :data:`versions.COMPATIBILITY`.
        lapse_s: How long a claim stands that is not shown.
    """

    def __init__(self, config: DeviceConfig, lapse_s: float = LAPSE_S) -> None:
        self.name = config.name
        self.address = config.address
        first = config.port
        standard = (discovery.PORT, RPC_PORT, CHDR_PORT)
        self._ports = standard if first is None else (first, first + 1, first + 2)
        serial = config.serial or f"V{zlib.crc32(config.name.encode()) & 0xFFFFFFF:07X}"
        agreed = versions.compatibility(versions.DEFAULT if config.uhd is None else config.uhd)
        identity = Identity(config.name, serial, config.address, self._ports[2], agreed)
        self._air: Air | None = None
        self._counters: Counter[str] = Counter()
        self._faults = Faults(time.monotonic)
        self._services: list[Service] = []
        self._chdr: socket.socket | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._keeper: threading.Thread | None = None
        self._late: deque[tuple[bytes, Peer]] = deque(maxlen=MAX_LATE)
        self._claimants: set[object] = set()  # connections that have shown the claim's token

        clock = Timekeeper(self._count_of_air, lambda: self._board.clock_hz)
        self._network = Network(clock, self._transmit, self._count, bool(config.agc))
        self.rx: Sequence[RxPort] = self._network.rx
        self.tx: Sequence[TxPort] = self._network.tx
        self._board = Board(self._network.rx, [stream.tuning for stream in self._network.tx])
        self._claim = Claim(time.monotonic, lapse_s)
        hooks = Hooks(self._retuned, self._forget)
        self._mpm = Mpm(identity, self._claim, self._board, self._network.fabric, clock, hooks)

    # ------------------------------------------------------------------ for the air

    def start(self, air: Air) -> None:
        """Bind the three sockets; :class:`RadioError` names an address in use."""
        self._air = air
        if air.config.clock == "virtual":
            for stream in self._network.rx:
                stream.window_bytes = VIRTUAL_WINDOW_BYTES
        self._stopping.clear()
        self._plug()
        self._keeper = threading.Thread(target=self._keep, name=self.name, daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """Close the sockets and end the threads."""
        self._stopping.set()
        self._wake.set()
        if self._keeper is not None and self._keeper.is_alive():
            with self._running().lock:
                self._running().lock.notify_all()
            self._keeper.join(STOP_S)
        self._unplug()

    def fault(self, kind: str, seconds: float) -> None:
        """Misbehave; see :mod:`semcom_blocks.air.usrp.faults`."""
        self._faults.begin(kind, seconds)
        self._count("fault_" + kind)
        self._wake.set()

    def counters(self) -> dict[str, int]:
        """What has happened so far."""
        return dict(self._counters)

    # ------------------------------------------------------------------ sockets

    def _plug(self) -> None:
        """Open the sockets, as a device that was just switched on."""
        kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
        socks: list[socket.socket] = []
        try:
            for kind, port in zip(kinds, self._ports, strict=True):
                socks.append(bind(kind, self.address, port))
        except BaseException:
            for sock in socks:
                sock.close()
            raise
        found, asked, self._chdr = socks
        self._services = [
            DatagramService(f"{self.name} discovery", found, self._stalled, self._discover),
            RpcService(
                f"{self.name} rpc", asked, self._stalled, self._rpc, self._left, self._refused
            ),
            DatagramService(f"{self.name} chdr", self._chdr, self._stalled, self._receive),
        ]
        for service in self._services:
            service.start()

    def _unplug(self) -> None:
        """Close the sockets and forget the host."""
        for service in self._services:
            service.stop()
        self._services = []
        self._chdr = None
        if self._air is not None:
            with self._air.lock:
                self._claim.release()
                self._forget()

    def _stalled(self) -> bool:
        return self._faults.active("stall")

    def _discover(self, batch: Datagrams) -> None:
        for datagram, peer in batch:
            reply = discovery.answer(datagram, self._mpm.device_info())
            if reply is None:
                self._count("bad_discovery")
            else:
                with contextlib.suppress(OSError):
                    self._services[0].sock.sendto(reply, peer)

    def _rpc(self, client: object, method: Any, arguments: Any) -> Any:
        with self._running().lock:
            result = self._mpm.call(method, arguments)
            if method == "claim":
                self._count("claims")
                self._claimants.clear()
            if self._claim.held():
                self._claimants.add(client)
            return result

    def _left(self, client: object) -> None:
        """A connection ended: without any of the claim's there is nobody to stream to."""
        with self._running().lock:
            self._claimants.discard(client)
            if not self._claimants and self._claim.held():
                self._network.quiet()
                self._running().lock.notify_all()

    def _refused(self, error: WireError) -> None:
        self._count("bad_rpc")

    def _receive(self, batch: Datagrams) -> None:
        lose = self._faults.active("drop")
        with self._running().lock:
            for datagram, peer in batch:
                try:
                    self._network.receive(datagram, peer, lose)
                except ChdrError:
                    self._count("bad_packet")
            self._running().lock.notify_all()
        self._wake.set()

    def _transmit(self, kind: PacketType, datagram: bytes, peer: Peer) -> None:
        stalled = self._stalled()
        if kind in SAMPLES and (stalled or self._faults.active("drop")):
            self._count("lost_by_fault")
        elif stalled or self._late:
            self._late.append((datagram, peer))  # the driver waits for it without end
        else:
            self._send(datagram, peer)

    def _send(self, datagram: bytes, peer: Peer) -> None:
        if self._chdr is None:
            return
        try:
            self._chdr.sendto(datagram, peer)
        except OSError:
            self._count("send_failed")

    # ------------------------------------------------------------------ time and life

    def _running(self) -> Air:
        if self._air is None:
            raise RadioError(f"device {self.name} is in no air, permitted: after start")
        return self._air

    def _count(self, what: str, number: int = 1) -> None:
        self._counters[what] += number

    def _count_of_air(self) -> int:
        return 0 if self._air is None else self._air.time_of(self)

    def _retuned(self) -> None:
        self._running().retuned(self)

    def _forget(self) -> None:
        """The host has gone; lock held."""
        self._network.forget()
        self._claimants.clear()
        self._late.clear()
        self._running().lock.notify_all()

    def _keep(self) -> None:
        """Look after claim, faults and timed commands, and ask for virtual time."""
        air = self._running()
        virtual = air.config.clock == "virtual"
        while not self._stopping.is_set():
            self._plug_as_faults_say()
            with air.lock:
                self._look_after()
                if virtual and self._wants_time():
                    air.wait_for(self._has_work, ROUND_S)
                    continue
                nap_s = self._nap_s()
            self._wake.wait(nap_s)
            self._wake.clear()

    def _plug_as_faults_say(self) -> None:
        gone = self._faults.active("unplug")
        if gone and self._services:
            self._count("unplugged")
            self._unplug()
        elif not gone and not self._services:
            try:
                self._plug()
            except RadioError:  # somebody took the address meanwhile; the next round tries again
                self._count("plug_failed")

    def _look_after(self) -> None:
        if self._claim.lapsed():
            self._count("claims_lapsed")
            self._claim.release()
            self._forget()
        for receiver in self._network.rx:
            receiver.jammed = self._faults.active("overflow")
        for transmitter in self._network.tx:
            transmitter.dry = self._faults.active("underflow")
        if not self._stalled():
            while self._late:
                self._send(*self._late.popleft())
        self._network.run_due()

    def _wants_time(self) -> bool:
        return self._network.streaming() or self._network.next_command_in() is not None

    def _has_work(self) -> bool:
        left = self._network.next_command_in()
        return self._stopping.is_set() or not self._wants_time() or (left is not None and left <= 0)

    def _nap_s(self) -> float:
        """Until the next round or timed command; wakes come earlier."""
        left = self._network.next_command_in()
        return ROUND_S if left is None else min(ROUND_S, max(left / self._board.clock_hz, 1e-4))
