# SPDX-License-Identifier: GPL-3.0-or-later
"""The RFNoC side of the device: each packet goes to what it is meant for.

    management              fabric, which may set up endpoints and streams
    control                 registers, at once or at their time; acknowledged
    stream command, data    transmit streams
    stream status           receive streams

No sockets: datagrams come in with the address they came from and go out through
``transmit``.  The caller holds the air's lock.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import replace

from semcom_blocks.air.usrp import registers
from semcom_blocks.air.usrp.board import start_tuning
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
from semcom_blocks.air.usrp.endpoint import RESET_IN, RESET_OUT, StreamEndpoint
from semcom_blocks.air.usrp.link import RxEvent, TxEvent
from semcom_blocks.air.usrp.management import Fabric
from semcom_blocks.air.usrp.receive import MAX_PACKET_SAMPLES, MIN_PACKET_SAMPLES, RxStream
from semcom_blocks.air.usrp.registers import CHANNELS, RadioRegisters
from semcom_blocks.air.usrp.timekeeper import Timekeeper, difference
from semcom_blocks.air.usrp.transmit import TxStream

# A host has one endpoint for control and one for each stream.
MAX_PEERS = 256
# Control transactions that may wait for their time.
MAX_TIMED = 64
COMMAND_ERROR = 1
SAMPLES = (PacketType.DATA, PacketType.TIMED_DATA)

Peer = tuple[str, int]


class _ChannelLink:
    """A channel's way to the host, for its streams."""

    def __init__(self, network: Network, channel: int) -> None:
        self._network = network
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
        self._network.send(kind, destination, sequence, payload, time, end_of_burst)

    def event(self, code: RxEvent | TxEvent, ticks: int) -> None:
        self._network.event(self._channel, code, ticks)

    def count(self, what: str, number: int = 1) -> None:
        self._network.count(what, number)

    def epid(self) -> int:
        return self._network.endpoints[self._channel].epid


class Network:
    """Streams, endpoints and registers of one device.

    Args:
        clock: The device's time.
        transmit: Sends a datagram of a kind to an address.
        count: Notes something for people.
        agc: Whether the receivers start with automatic gain.
    """

    def __init__(
        self,
        clock: Timekeeper,
        transmit: Callable[[PacketType, bytes, Peer], None],
        count: Callable[[str, int], None],
        agc: bool = False,
    ) -> None:
        self.clock = clock
        self._transmit = transmit
        self._count = count
        links = [_ChannelLink(self, channel) for channel in range(CHANNELS)]
        self.rx = [RxStream(start_tuning("RX", agc), link, clock) for link in links]
        self.tx = [TxStream(start_tuning("TX"), link, clock) for link in links]
        self.endpoints = [self._endpoint(channel) for channel in range(CHANNELS)]
        self.fabric = Fabric(self.endpoints)
        self._registers = RadioRegisters(
            lambda channel, *command: self.rx[channel].command(*command), clock.now
        )
        self._peers: dict[int, Peer] = {}
        self._timed: list[tuple[int, int, Packet, Control]] = []
        self._order = itertools.count()
        self._event_sequence = 0

    # ------------------------------------------------------------------ life

    def quiet(self) -> None:
        """Stop all streams."""
        for receiver in self.rx:
            receiver.forget()
        for transmitter in self.tx:
            transmitter.forget()

    def forget(self) -> None:
        """Back to how the device starts: the host has gone."""
        self.quiet()
        self._timed.clear()
        self._peers.clear()
        self._registers.forget()
        self.clock.forget()
        for endpoint in self.endpoints:
            endpoint.forget()

    def streaming(self) -> bool:
        """Whether any channel streams or waits for its time."""
        receiving = any(stream.streaming() for stream in self.rx)
        return receiving or any(stream.streaming() for stream in self.tx)

    def next_command_in(self) -> int | None:
        """Ticks until the next timed command; None if there is none."""
        return difference(self._timed[0][0], self.clock.now()) if self._timed else None

    def run_due(self) -> None:
        """Carry out timed commands whose time has come."""
        while self._timed and difference(self._timed[0][0], self.clock.now()) <= 0:
            _, _, packet, control = heapq.heappop(self._timed)
            self._execute(packet, control)

    # ------------------------------------------------------------------ out

    def count(self, what: str, number: int = 1) -> None:
        """Note something for people."""
        self._count(what, number)

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
        if peer is None:
            self.count("unrouted")
        else:
            datagram = pack(kind, destination, sequence, payload, time, end_of_burst)
            self._transmit(kind, datagram, peer)

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

    # ------------------------------------------------------------------ in

    def receive(self, datagram: bytes, peer: Peer, lose_samples: bool = False) -> None:
        """Take a datagram; :class:`ChdrError` if it makes no sense."""
        packet = unpack(datagram)
        if packet.kind in SAMPLES:
            if lose_samples:
                self.count("lost_by_fault")
            else:
                self.tx[self._channel(packet)].packet(packet)
        elif packet.kind is PacketType.STREAM_STATUS:
            self.rx[self._channel(packet)].status(StreamStatus.unpack(packet.words))
        elif packet.kind is PacketType.STREAM_COMMAND:
            channel, command = self._channel(packet), StreamCommand.unpack(packet.words)
            self._know(command.source, peer)
            self.tx[channel].command(command)
        elif packet.kind is PacketType.CONTROL:
            self._control(packet, Control.unpack(packet.words), peer)
        else:
            self._management(packet, peer)

    def _channel(self, packet: Packet) -> int:
        for channel, endpoint in enumerate(self.endpoints):
            if endpoint.epid == packet.destination and endpoint.epid:
                return channel
        raise ChdrError(f"endpoint is {packet.destination}, permitted: those of the device")

    def _know(self, epid: int, peer: Peer) -> None:
        if epid in self._peers or len(self._peers) < MAX_PEERS:
            self._peers[epid] = peer

    def _management(self, packet: Packet, peer: Peer) -> None:
        if packet.words:
            self._know(packet.words[0] & 0xFFFF, peer)
        answer = self.fabric.answer(packet.words, packet.destination)
        if answer is not None:
            host, payload = answer
            self.send(PacketType.MANAGEMENT, host, packet.sequence, payload)

    def _control(self, packet: Packet, control: Control, peer: Peer) -> None:
        if control.is_ack:
            return
        self._know(control.source, peer)
        if control.time is not None and difference(control.time, self.clock.now()) > 0:
            if len(self._timed) >= MAX_TIMED:
                raise ChdrError(
                    f"timed commands are {len(self._timed) + 1}, permitted: {MAX_TIMED}"
                )
            heapq.heappush(self._timed, (control.time, next(self._order), packet, control))
        else:
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

    def _endpoint(self, channel: int) -> StreamEndpoint:
        def start() -> None:
            self.rx[channel].set_up(self.endpoints[channel].destination)

        def reset(bits: int) -> None:
            if bits & RESET_OUT:
                self.rx[channel].reset()
            if bits & RESET_IN:
                self.tx[channel].forget()

        return StreamEndpoint(start, reset)
