# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual USRPs in an air of their own, a host by hand, and a driver's side of one channel."""

import contextlib
import secrets
import socket
import struct
from dataclasses import dataclass, field

import msgpack
import pytest

from semcom_blocks.air.config import AirConfig
from semcom_blocks.air.engine import Air
from semcom_blocks.air.usrp import VirtualUsrp, chdr, management
from semcom_blocks.air.usrp.chdr import Control, ControlOp, PacketType, StreamCommand, StreamStatus

TIMEOUT_S = 10.0
HOST_EPID = 1
STREAM_EPID = 9


@dataclass
class Recorder:
    """The device's side of a channel: keeps what a stream sends and tells."""

    sent: list = field(default_factory=list)
    events: list = field(default_factory=list)
    counts: dict = field(default_factory=dict)

    def send(self, kind, destination, sequence, payload, time=None, end_of_burst=False):
        datagram = chdr.pack(kind, destination, sequence, payload, time, end_of_burst)
        self.sent.append(chdr.unpack(datagram))

    def event(self, code, ticks):
        self.events.append((code.name, ticks))

    def count(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    def epid(self):
        return 3


def words(hops):
    """Operations, hop by hop, with the count of those that follow in their low byte."""
    return [op | len(hop) - 1 - i for hop in hops for i, op in enumerate(hop)]


class RawHost:
    """RPC and CHDR by hand; every wait is limited."""

    def __init__(self, address):
        self.rpc = socket.create_connection((address, 49601), timeout=TIMEOUT_S)
        self.unpacker = msgpack.Unpacker(raw=False)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.settimeout(TIMEOUT_S)
        self.udp.connect((address, 49153))
        self.number = 0
        self.token = None
        self.kept = []

    def ask(self, method, *arguments):
        """Error and result of a call."""
        self.number += 1
        self.rpc.sendall(msgpack.packb([0, self.number, method, arguments]))
        while True:
            for kind, number, error, result in self.unpacker:
                assert (kind, number) == (1, self.number)
                return error, result
            data = self.rpc.recv(65536)
            if not data:
                raise ConnectionError("the server closed")
            self.unpacker.feed(data)

    def call(self, method, *arguments):
        """Result of a call that needs the token."""
        error, result = self.ask(method, self.token, *arguments)
        assert error is None
        return result

    def claim(self, rate_hz=1e6):
        error, self.token = self.ask("claim", "test")
        assert error is None
        assert self.call("init", {"master_clock_rate": str(rate_hz)})

    def send(self, kind, destination, payload, sequence=0, time=None, end=False):
        self.udp.send(chdr.pack(kind, destination, sequence, payload, time, end))

    def receive(self, *kinds):
        """The next packet of one of ``kinds``; others are kept for who asks for them."""
        for packet in self.kept:
            if packet.kind in kinds:
                self.kept.remove(packet)
                return packet
        while True:
            packet = chdr.unpack(self.udp.recv(9000))
            if packet.kind in kinds:
                return packet
            self.kept.append(packet)

    def manage(self, hops, source=HOST_EPID):
        """A management transaction; the reply's words."""
        head = source | len(hops) << 16
        payload = [head, *words(hops)]
        self.send(PacketType.MANAGEMENT, 0, struct.pack(f"<{len(payload)}Q", *payload))
        return self.receive(PacketType.MANAGEMENT).words

    def endpoint(self, index, *writes, source=HOST_EPID):
        """Write registers of an endpoint: (address, value), …"""
        way = [[0 << 8], [management.Op.SELECT << 8 | (1 + index) << 16]]
        ops = [
            management.Op.WRITE << 8 | (value << 16 | address) << 16 for address, value in writes
        ]
        self.manage([*way, [*ops, management.Op.RETURN << 8], [0]], source)

    def poke(self, address, value, port=2, time=None):
        """Write a register; its acknowledgement."""
        return self._control(ControlOp.WRITE, address, value, port, time)

    def peek(self, address, port=2):
        return self._control(ControlOp.READ, address, 0, port, None)

    def _control(self, op, address, value, port, time):
        request = Control(port, port, 5, HOST_EPID, op, address, (value,), time)
        self.send(PacketType.CONTROL, self.first, request.pack())
        told = []
        while True:
            packet = self.receive(PacketType.CONTROL)
            answer = Control.unpack(packet.words)
            if answer.is_ack:
                self.kept += told
                return answer
            told.append(packet)

    def event(self):
        """The next asynchronous message."""
        while True:
            message = Control.unpack(self.receive(PacketType.CONTROL).words)
            if not message.is_ack:
                return message

    def set_up(self, channel=0):
        """Endpoints, messages of the radio and a stream each way; returns the endpoint."""
        self.first = 100
        for index in (0, 1):
            self.endpoint(index, (0x00, 100 + index))
        base = 0x1000 + 0x80 * channel
        for error in (0x2C, 0x48):
            for offset, value in ((4, 2), (8, HOST_EPID), (12, error)):
                self.poke(base + error + offset, value)
        self.poke(base + 0x28, 500)
        self.endpoint(channel, (0x0C, STREAM_EPID), (0x08, 1), source=STREAM_EPID)
        self.report(channel, 0, 0)
        self.command(channel, chdr.StreamOp.INIT, 4, 4096)
        return 100 + channel

    def report(self, channel, n_bytes, packets, capacity=1 << 20):
        status = StreamStatus(STREAM_EPID, capacity, 1000, packets, n_bytes)
        self.send(PacketType.STREAM_STATUS, 100 + channel, status.pack())

    def command(self, channel, op, packets, n_bytes):
        command = StreamCommand(STREAM_EPID, op, packets, n_bytes)
        self.send(PacketType.STREAM_COMMAND, 100 + channel, command.pack())

    def close(self):
        self.rpc.close()
        self.udp.close()


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def address():
    """Makes addresses that nobody else uses."""

    def make():
        parts = secrets.token_bytes(3)
        return f"127.{64 + parts[0] % 64}.{parts[1]}.{1 + parts[2] % 254}"

    return make


@pytest.fixture
def usrps(address):
    """Makes an air: ``usrps({device}, …, clock=…, paths=…)`` → Air, devices, addresses."""
    with contextlib.ExitStack() as stack:

        def make(*tables, lapse_s=5.0, **options):
            addresses = [address() for _ in tables]
            rows = [
                {"name": f"u{i}", "kind": "usrp", "address": where, **table}
                for i, (where, table) in enumerate(zip(addresses, tables, strict=True))
            ]
            config = AirConfig.from_dict({"devices": rows, **options})
            devices = [VirtualUsrp(its, lapse_s=lapse_s) for its in config.devices]
            return stack.enter_context(Air(config, devices)), devices, addresses

        yield make


@pytest.fixture
def connect():
    """Makes hosts and closes them in the end."""
    with contextlib.ExitStack() as stack:

        def make(address):
            return stack.enter_context(contextlib.closing(RawHost(address)))

        yield make
