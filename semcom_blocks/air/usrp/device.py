# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual USRP: what libuhd takes for an E320 at the other end of a network.

    discovery.py   UDP 49600   who is there
    mpm.py         TCP 49601   claim, settings, time, over rpc.py
    chdr.py        UDP 49153   management.py, registers.py, transmit.py, receive.py

Two channels each way, no DDC or DUC: the sample rate is the master clock rate, which
``set_rx_rate`` and ``set_tx_rate`` change, both together.
"""

from __future__ import annotations

import heapq
import itertools
import socket
import threading
import time
import zlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from semcom_blocks.air.config import DeviceConfig
from semcom_blocks.air.usrp import discovery, registers, versions
from semcom_blocks.air.usrp.board import Board, start_tuning
from semcom_blocks.air.usrp.chdr import (
    ChdrError,
    Control,
    ControlOp,
    Packet,
    PacketType,
    StreamCommand,
    StreamStatus,
    pack,
    unpack,
)
from semcom_blocks.air.usrp.claim import LAPSE_S, Claim
from semcom_blocks.air.usrp.endpoint import RESET_IN, RESET_OUT, StreamEndpoint
from semcom_blocks.air.usrp.faults import Faults
from semcom_blocks.air.usrp.link import RxEvent, TxEvent
from semcom_blocks.air.usrp.management import Fabric
from semcom_blocks.air.usrp.mpm import Hooks, Identity, Mpm
from semcom_blocks.air.usrp.receive import MAX_PACKET_SAMPLES, MIN_PACKET_SAMPLES, RxStream
from semcom_blocks.air.usrp.registers import CHANNELS, RadioRegisters
from semcom_blocks.air.usrp.server import Datagrams, DatagramService, RpcService, Service, bind
from semcom_blocks.air.usrp.timekeeper import Timekeeper, difference
from semcom_blocks.air.usrp.transmit import TxStream
from semcom_blocks.errors import WireError

if TYPE_CHECKING:
    from semcom_blocks.air.engine import Air

RPC_PORT = 49601
CHDR_PORT = 49153

# With a virtual clock air time runs ahead of a client by no more than this: 32 ms at 2 MS/s.
VIRTUAL_WINDOW_BYTES = 256 * 1024
# How often the device looks after claims and faults.
ROUND_S = 0.05
# A host has one endpoint for control and one for each stream.
MAX_PEERS = 256
# Control transactions that may wait for their time.
MAX_TIMED = 64
COMMAND_ERROR = 1


class _ChannelLink:
    """A channel's way to the host, for its streams."""

    def __init__(self, device: VirtualUsrp, channel: int) -> None:
        self._device = device
        self._channel = channel

    def send(
        self,
        kind: PacketType,
        destination: int,
        sequence: int,
        payload: bytes,
        time: int | None = None,
        end_of_burst: bool = False,
    ) -> None:
        self._device.send(kind, destination, sequence, payload, time, end_of_burst)

    def event(self, code: RxEvent | TxEvent, ticks: int) -> None:
        self._device.event(self._channel, code, ticks)

    def count(self, what: str, number: int = 1) -> None:
        self._device.count(what, number)

    def epid(self) -> int:
        return self._device.endpoints[self._channel].epid


class VirtualUsrp:
    """A virtual USRP; a :class:`semcom_blocks.air.device.Device`.

    Args:
        config: Its part of the air's configuration.  A ``port`` moves discovery there,
            RPC and CHDR to the two behind it (device arguments ``discovery_port``,
            ``rpc_port``).
        uhd: Version of libuhd to agree with, one of :data:`versions.COMPATIBILITY`.
        lapse_s: How long a claim stands that is not shown.
    """

    def __init__(
        self, config: DeviceConfig, uhd: str = versions.DEFAULT, lapse_s: float = LAPSE_S
    ) -> None:
        self.name = config.name
        self.address = config.address
        first = config.port
        self._ports = (
            (discovery.PORT, RPC_PORT, CHDR_PORT)
            if first is None
            else (first, first + 1, first + 2)
        )
        serial = config.serial or f"V{zlib.crc32(config.name.encode()) & 0xFFFFFFF:07X}"
        self._agc = bool(config.agc)
        self._air: Air | None = None
        self._counters: Counter[str] = Counter()
        self._faults = Faults(time.monotonic)
        self._services: list[Service] = []
        self._chdr: socket.socket | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._keeper: threading.Thread | None = None
        self._peers: dict[int, tuple[str, int]] = {}
        self._claimants: set[object] = set()
        self._timed: list[tuple[int, int, Packet, Control, tuple[str, int]]] = []
        self._order = itertools.count()
        self._event_sequence = 0

        self.clock = Timekeeper(self._count_of_air, lambda: self._board.clock_hz)
        links = [_ChannelLink(self, channel) for channel in range(CHANNELS)]
        self.rx = [RxStream(start_tuning("RX", self._agc), link, self.clock) for link in links]
        self.tx = [TxStream(start_tuning("TX"), link, self.clock) for link in links]
        self.endpoints = [self._endpoint(channel) for channel in range(CHANNELS)]
        self._fabric = Fabric(self.endpoints)
        self._registers = RadioRegisters(self._receive_command, self.clock.now)
        self._board = Board(self.rx, [stream.tuning for stream in self.tx])
        self._claim = Claim(time.monotonic, lapse_s)
        self._mpm = Mpm(
            Identity(
                config.name, serial, config.address, self._ports[2], versions.compatibility(uhd)
            ),
            self._claim,
            self._board,
            self._fabric,
            self.clock,
            Hooks(self._retuned, self._release),
        )

    # ------------------------------------------------------------------ for the air

    def start(self, air: Air) -> None:
        """Bind the three sockets; :class:`RadioError` names an address in use."""
        self._air = air
        if air.config.clock == "virtual":
            for stream in self.rx:
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
            if self._air is not None:
                with self._air.lock:
                    self._air.lock.notify_all()
            self._keeper.join(5.0)
        self._unplug()

    def fault(self, kind: str, seconds: float) -> None:
        """Misbehave; see :mod:`semcom_blocks.air.usrp.faults`."""
        self._faults.begin(kind, seconds)
        self.count("fault_" + kind)
        self._wake.set()

    def counters(self) -> dict[str, int]:
        """What has happened so far."""
        return dict(self._counters)

    # ------------------------------------------------------------------ for the streams

    def count(self, what: str, number: int = 1) -> None:
        """Note something for people."""
        self._counters[what] += number

    def send(
        self,
        kind: PacketType,
        destination: int,
        sequence: int,
        payload: bytes,
        time: int | None = None,
        end_of_burst: bool = False,
    ) -> None:
        """Send a packet to a host's endpoint, if it is known."""
        peer = self._peers.get(destination)
        samples = kind in (PacketType.DATA, PacketType.TIMED_DATA)
        if peer is None or self._chdr is None:
            self._counters["unrouted"] += 1
        elif self._faults.active("stall") or (samples and self._faults.active("drop")):
            self._counters["lost_by_fault"] += 1
        else:
            try:
                datagram = pack(kind, destination, sequence, payload, time, end_of_burst)
                self._chdr.sendto(datagram, peer)
            except OSError:
                self._counters["send_failed"] += 1

    def event(self, channel: int, code: RxEvent | TxEvent, ticks: int) -> None:
        """Tell the driver's radio control, where it has asked to be told."""
        base = registers.RX_ERROR_PORT if isinstance(code, RxEvent) else registers.TX_ERROR_PORT
        # Behind the crossbar's port: the port and endpoint there, and the address to write to.
        port, host, address = (self._registers.of(channel, base + 4 * i) for i in (1, 2, 3))
        self._event_sequence += 1
        message = Control(
            source_port=registers.RADIO_PORT,
            destination_port=port & 0x3FF,
            sequence=self._event_sequence & 63,
            source=self.endpoints[0].epid,
            op=ControlOp.WRITE,
            address=address & 0xFFFFF,
            data=(int(code),),
            time=ticks,
        )
        self.send(PacketType.CONTROL, host & 0xFFFF, self._event_sequence, message.pack())

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
        self._chdr = socks[2]
        self._services = [
            DatagramService(f"{self.name} discovery", socks[0], self._stalled, self._discover),
            RpcService(
                f"{self.name} rpc", socks[1], self._stalled, self._rpc, self._left, self._refused
            ),
            DatagramService(f"{self.name} chdr", socks[2], self._stalled, self._packets),
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
                self._release()

    def _stalled(self) -> bool:
        return self._faults.active("stall")

    def _discover(self, batch: Datagrams) -> None:
        for datagram, peer in batch:
            reply = discovery.answer(datagram, self._mpm.device_info())
            if reply is None:
                self.count("bad_discovery")
            else:
                self._services[0].sock.sendto(reply, peer)

    def _rpc(self, client: object, method: Any, arguments: Any) -> Any:
        assert self._air is not None
        with self._air.lock:
            result = self._mpm.call(method, arguments)
            if method == "claim":
                self.count("claims")
                self._claimants.clear()
            if self._claim.held():
                self._claimants.add(client)
            return result

    def _left(self, client: object) -> None:
        """A connection ended: without any of the claim's there is nobody to stream to."""
        assert self._air is not None
        with self._air.lock:
            self._claimants.discard(client)
            if not self._claimants and self._claim.held():
                self._quiet()

    def _refused(self, error: WireError) -> None:
        self.count("bad_rpc")

    def _packets(self, batch: Datagrams) -> None:
        assert self._air is not None
        with self._air.lock:
            for datagram, peer in batch:
                try:
                    self._packet(unpack(datagram), peer)
                except ChdrError:
                    self._counters["bad_packet"] += 1
            self._air.lock.notify_all()
        self._wake.set()

    # ------------------------------------------------------------------ packets, lock held

    def _packet(self, packet: Packet, peer: tuple[str, int]) -> None:
        kind = packet.kind
        if kind in (PacketType.DATA, PacketType.TIMED_DATA):
            if self._faults.active("drop"):
                self._counters["lost_by_fault"] += 1
            else:
                self.tx[self._channel(packet)].packet(packet)
        elif kind is PacketType.STREAM_STATUS:
            self.rx[self._channel(packet)].status(StreamStatus.unpack(packet.words))
        elif kind is PacketType.STREAM_COMMAND:
            command = StreamCommand.unpack(packet.words)
            self._know(command.source, peer)
            self.tx[self._channel(packet)].command(command)
        elif kind is PacketType.CONTROL:
            self._control(packet, Control.unpack(packet.words), peer)
        else:
            self._management(packet, peer)

    def _channel(self, packet: Packet) -> int:
        for channel, endpoint in enumerate(self.endpoints):
            if endpoint.epid == packet.destination and endpoint.epid:
                return channel
        raise ChdrError(f"endpoint is {packet.destination}, permitted: those of the device")

    def _know(self, epid: int, peer: tuple[str, int]) -> None:
        if epid in self._peers or len(self._peers) < MAX_PEERS:
            self._peers[epid] = peer

    def _management(self, packet: Packet, peer: tuple[str, int]) -> None:
        if packet.words:
            self._know(packet.words[0] & 0xFFFF, peer)
        answer = self._fabric.answer(packet.words, packet.destination)
        if answer is not None:
            host, payload = answer
            self.send(PacketType.MANAGEMENT, host, packet.sequence, payload)

    def _control(self, packet: Packet, control: Control, peer: tuple[str, int]) -> None:
        if control.is_ack:
            return
        self._know(control.source, peer)
        if control.time is not None and difference(control.time, self.clock.now()) > 0:
            if len(self._timed) >= MAX_TIMED:
                raise ChdrError(f"timed commands are {len(self._timed)}, permitted: {MAX_TIMED}")
            heapq.heappush(self._timed, (control.time, next(self._order), packet, control, peer))
            return
        self._execute(packet, control)

    def _execute(self, packet: Packet, control: Control) -> None:
        """Carry a register access out, and acknowledge it."""
        port, data, status = control.destination_port, control.data, 0
        known = port in (registers.CORE_PORT, registers.RADIO_PORT)
        if control.op == ControlOp.READ and known:
            core = port == registers.CORE_PORT
            peek = registers.peek_core if core else self._registers.peek
            data = tuple(peek(control.address + 4 * i) for i in range(len(data)))
        elif control.op == ControlOp.WRITE and port == registers.RADIO_PORT:
            self._registers.poke(control.address, data[0])
            self._apply()
        elif control.op != ControlOp.SLEEP and not known:
            status = COMMAND_ERROR
        acknowledgement = replace(
            control,
            source_port=control.destination_port,
            destination_port=control.source_port,
            source=packet.destination,
            data=data,
            time=None,
            is_ack=True,
            status=status,
        )
        self.send(PacketType.CONTROL, control.source, packet.sequence, acknowledgement.pack())

    def _apply(self) -> None:
        """Take the streams' settings from the registers."""
        for channel in range(CHANNELS):
            words = self._registers.of(channel, registers.RX_PACKET_WORDS)
            if words:
                self.rx[channel].packet_samples = min(
                    max(words, MIN_PACKET_SAMPLES), MAX_PACKET_SAMPLES
                )
            self.rx[channel].with_time = bool(self._registers.of(channel, registers.RX_HAS_TIME))
            self.tx[channel].policy = self._registers.of(channel, registers.TX_ERROR_POLICY)

    def _receive_command(self, channel: int, mode: int, samples: int, ticks: int | None) -> None:
        self.rx[channel].command(mode, samples, ticks)

    def _endpoint(self, channel: int) -> StreamEndpoint:
        def start() -> None:
            self.rx[channel].set_up(self.endpoints[channel].destination)

        def reset(bits: int) -> None:
            if bits & RESET_OUT:
                self.rx[channel].reset()
            if bits & RESET_IN:
                self.tx[channel].forget()

        return StreamEndpoint(start, reset)

    # ------------------------------------------------------------------ time and life

    def _count_of_air(self) -> int:
        return 0 if self._air is None else self._air.time_of(self)

    def _retuned(self) -> None:
        assert self._air is not None
        self._air.retuned(self)

    def _quiet(self) -> None:
        """Stop all streams; lock held."""
        for stream in (*self.rx, *self.tx):
            stream.forget()
        if self._air is not None:
            self._air.lock.notify_all()

    def _release(self) -> None:
        """The host has gone; lock held."""
        self._quiet()
        self._claimants.clear()
        self._timed.clear()
        self._peers.clear()
        self._registers.forget()
        self.clock.forget()
        for endpoint in self.endpoints:
            endpoint.forget()

    def _keep(self) -> None:
        """Look after claim, faults and timed commands, and ask for virtual time."""
        assert self._air is not None
        virtual = self._air.config.clock == "virtual"
        while not self._stopping.is_set():
            self._plug_as_faults_say()
            with self._air.lock:
                self._look_after()
                if virtual and self._wants_time():
                    self._air.wait_for(self._has_work, ROUND_S)
                    continue
                nap_s = self._nap_s()
            self._wake.wait(nap_s)
            self._wake.clear()

    def _plug_as_faults_say(self) -> None:
        gone = self._faults.active("unplug")
        if gone and self._services:
            self.count("unplugged")
            self._unplug()
        elif not gone and not self._services:
            self._plug()

    def _look_after(self) -> None:
        if self._claim.lapsed():
            self.count("claims_lapsed")
            self._claim.release()
            self._release()
        for stream in self.rx:
            stream.jammed = self._faults.active("overflow")
        for stream in self.tx:
            stream.dry = self._faults.active("underflow")
        now = self.clock.now()
        while self._timed and difference(self._timed[0][0], now) <= 0:
            _, _, packet, control, _ = heapq.heappop(self._timed)
            self._execute(packet, control)

    def _wants_time(self) -> bool:
        return bool(self._timed) or any(s.streaming() for s in (*self.rx, *self.tx))

    def _has_work(self) -> bool:
        if self._stopping.is_set() or not self._wants_time():
            return True
        return bool(self._timed) and difference(self._timed[0][0], self.clock.now()) <= 0

    def _nap_s(self) -> float:
        """Until the next round or timed command; wakes come earlier."""
        if not self._timed:
            return ROUND_S
        left = difference(self._timed[0][0], self.clock.now()) / self._board.clock_hz
        return min(ROUND_S, max(left, 1e-4))
