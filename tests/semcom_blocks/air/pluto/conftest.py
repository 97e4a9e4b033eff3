# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual Plutos in an air of their own, on loopback addresses of their own."""

import contextlib
import secrets
import socket

import pytest

from semcom_blocks.air.config import AirConfig
from semcom_blocks.air.engine import Air
from semcom_blocks.air.pluto import VirtualPluto

PORT = 30431


class RawClient:
    """The daemon's protocol by hand; every wait is limited."""

    def __init__(self, address):
        self.sock = socket.create_connection((address, PORT), timeout=5)
        self.file = self.sock.makefile("rb")

    def send(self, text):
        self.sock.sendall(text.encode("latin1"))

    def number(self):
        return int(self.file.readline())

    def ask(self, line):
        """Send a line; the number that comes back."""
        self.send(line + "\r\n")
        return self.number()

    def read(self, what):
        """An attribute's text, or its error's number."""
        length = self.ask(f"READ {what}")
        return length if length < 0 else self.file.read(length + 1)[:-2].decode()

    def write(self, what, value):
        self.send(f"WRITE {what} {len(value) + 1}\r\n{value}\0")
        return self.number()

    def samples(self, device, n_bytes):
        """What READBUF brings: the channel masks and all bytes."""
        self.send(f"READBUF {device} {n_bytes}\r\n")
        data, mask = b"", None
        while len(data) < n_bytes:
            length = self.number()
            if length <= 0:
                return mask, data, length
            mask = mask or self.file.readline().strip()
            data += self.file.read(length)
        return mask, data, len(data)

    def push(self, device, data):
        """WRITEBUF; the last answer."""
        first = self.ask(f"WRITEBUF {device} {len(data)}")
        if first < 0:
            return first
        self.sock.sendall(data)
        return self.number()

    def ended(self):
        """Whether the other side has closed."""
        try:
            return self.file.read(1) == b""
        except ConnectionError:
            return True

    def close(self):
        self.file.close()
        self.sock.close()


@pytest.fixture
def address():
    """Makes addresses that nobody else uses."""

    def make():
        parts = secrets.token_bytes(3)
        return f"127.{64 + parts[0] % 64}.{parts[1]}.{1 + parts[2] % 254}"

    return make


@pytest.fixture
def plutos(address):
    """Makes an air: ``plutos({device}, …, clock=…, paths=…)`` → Air, devices, addresses."""
    with contextlib.ExitStack() as stack:

        def make(*tables, **options):
            addresses = [address() for _ in tables]
            rows = [
                {"name": f"p{i}", "kind": "pluto", "address": where, **table}
                for i, (where, table) in enumerate(zip(addresses, tables, strict=True))
            ]
            config = AirConfig.from_dict({"devices": rows, **options})
            devices = [VirtualPluto(its) for its in config.devices]
            air = stack.enter_context(Air(config, devices))
            return air, devices, addresses

        yield make


@pytest.fixture
def connect():
    """Makes raw clients and closes them in the end."""
    with contextlib.ExitStack() as stack:

        def make(address):
            return stack.enter_context(contextlib.closing(RawClient(address)))

        yield make
