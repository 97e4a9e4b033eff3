# SPDX-License-Identifier: GPL-3.0-or-later
"""One client's connection: commands read, carried out, answered; sample data moved.

Sample data is received into its final array and sent from the engine's, without copies in
between, and converted without the air's lock.  A client that goes away is noticed within
``LOOK_S`` even while its command waits for samples.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence

import numpy as np

from semcom_blocks.air.pluto.buffers import SAMPLE_BYTES, ReceiveBuffer, TransmitBuffer
from semcom_blocks.air.pluto.iio import Attribute
from semcom_blocks.air.pluto.protocol import (
    MAX_VALUE_BYTES,
    Command,
    Malformed,
    Target,
    integer,
    parse,
    text_answer,
)
from semcom_blocks.air.pluto.reader import LineReader
from semcom_blocks.air.pluto.station import Station

logger = logging.getLogger(__name__)

#: The client's library and its daemon have the same release.
VERSION = b"0.24.v0.24  \n"
#: How often a waiting command looks whether its client is still there.
LOOK_S = 0.1
#: A client that reads nothing for so long is given up.
SEND_TIMEOUT_S = 30
#: Room for a megasample both ways: the fewer turns, the fewer changes of thread.
SOCKET_BUFFER_BYTES = 4 << 20
#: The kernel refuses more pieces in one call (IOV_MAX is 1024).
MAX_PIECES = 512


class Connection:
    """``serve`` runs in a thread of its own until the client leaves or is cut off."""

    def __init__(self, sock: socket.socket, station: Station) -> None:
        self._sock = sock
        self._station = station
        self._buffers: dict[str, ReceiveBuffer | TransmitBuffer] = {}
        self._timeout_ms: int | None = None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
        limit = struct.pack("ll", SEND_TIMEOUT_S, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._reader = LineReader(sock)
        self._hangup = select.poll()
        self._hangup.register(sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)

    def cut(self) -> None:
        """End the connection from any thread; what waits on it returns."""
        with contextlib.suppress(OSError):  # it may be gone already
            self._sock.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        try:
            while (line := self._reader.line()) is not None:
                if line and not self._answer(line):
                    break
        except (ConnectionError, BlockingIOError) as error:
            logger.debug("client gone: %s", error)
        except Malformed as error:  # no end of line in sight
            logger.info("client cut off: %s", error.strerror)
        except OSError as error:
            logger.info("connection broke: %s", error)
        finally:
            with self._station.lock:
                for device, buffer in self._buffers.items():
                    self._station.close(device, buffer)
            self._sock.close()

    # ------------------------------------------------------------------ commands

    def _answer(self, line: bytes) -> bool:
        """Carry out one line; False ends the connection."""
        self._pause()
        try:
            command = parse(line)
            if command.verb == "EXIT":
                return False
            getattr(self, f"_do_{command.verb.lower()}")(command)
        except (ConnectionError, BlockingIOError):  # the socket's; the rest is for the client
            raise
        except OSError as error:
            logger.debug("%s: %s", line[:60].decode("latin1"), error.strerror)
            self._send([integer(-(error.errno or errno.EIO))])
            return error.errno != errno.E2BIG
        return True

    def _do_print(self, command: Command) -> None:
        xml = self._station.xml
        self._send([b"%d\n%s\n" % (len(xml), xml)])

    def _do_version(self, command: Command) -> None:
        self._send([VERSION])

    def _do_timeout(self, command: Command) -> None:
        self._timeout_ms = self._station.timeout_ms = command.count
        self._send([integer(0)])

    def _do_gettrig(self, command: Command) -> None:
        self._station.device(command.device)
        raise OSError(errno.ENOENT, "there are no triggers")

    _do_settrig = _do_gettrig

    def _do_read(self, command: Command) -> None:
        with self._station.lock:
            text = self._attribute(command.target).read()
        self._send([text_answer(text)])

    def _do_write(self, command: Command) -> None:
        if command.count > MAX_VALUE_BYTES:  # what follows cannot be told from commands
            raise OSError(errno.E2BIG, f"value has {command.count} bytes")
        data = bytearray(command.count)
        self._reader.fill(memoryview(data))
        # Clients send the closing zero byte along, shells a newline.
        text = data.rstrip(b"\0\n").decode("latin1")
        with self._station.lock:
            self._attribute(command.target).write(text)
        self._send([integer(command.count)])

    def _attribute(self, target: Target | None) -> Attribute:
        assert target is not None
        device = self._station.device(target.device)
        if target.kind == "channel":
            channel = device.channel(target.channel, target.output)
            if channel is None:
                raise OSError(errno.ENXIO, f"no channel {target.channel!r:.40}")
            attributes = channel.attributes
        else:
            kinds = {
                "device": device.attributes,
                "debug": device.debug,
                "buffer": device.buffer,
            }
            attributes = kinds[target.kind]
        if target.name not in attributes:
            raise OSError(errno.ENOENT, f"no attribute {target.name!r:.40}")
        return attributes[target.name]

    # ------------------------------------------------------------------ buffers

    def _do_set(self, command: Command) -> None:
        with self._station.lock:
            self._station.set_blocks(command.device, command.count)
        self._send([integer(0)])

    def _do_open(self, command: Command) -> None:
        device = self._station.device(command.device).id
        if device in self._buffers:
            raise OSError(errno.EBUSY, f"{device} is open on this connection")
        branches = tuple(index for index in (0, 1) if command.mask >> index & 1)
        with self._station.lock:
            self._buffers[device] = self._station.open(
                device, command.count, branches if command.mask < 4 else (), command.cyclic
            )
        self._send([integer(0)])

    def _do_close(self, command: Command) -> None:
        device = self._station.device(command.device).id
        buffer = self._buffers.pop(device, None)
        if buffer is None:
            raise OSError(errno.ENXIO, f"{device} is not open on this connection")
        with self._station.lock:
            self._station.close(device, buffer)
        self._send([integer(0)])

    def _do_readbuf(self, command: Command) -> None:
        buffer = self._buffers.get(self._station.device(command.device).id)
        if not isinstance(buffer, ReceiveBuffer):
            raise OSError(errno.EBADF, f"{command.device!r:.40} is not open for reading")
        frame = buffer.frame_bytes
        left, rest = divmod(command.count, frame)  # samples, bytes
        mask = b"%08x\n" % sum(1 << branch for branch in buffer.branches)
        while left:
            n = min(left, buffer.samples)
            with self._station.lock:
                self._wait(lambda n=n: buffer.filled >= n)
                pieces = buffer.take(n)
                self._station.lock.notify_all()
            self._pause()
            self._send([integer(n * frame) + mask, *pieces])
            mask = b""  # it goes with the first block only
            left -= n
        if rest or not command.count:
            self._send([integer(0)])

    def _do_writebuf(self, command: Command) -> None:
        buffer = self._buffers.get(self._station.device(command.device).id)
        if not isinstance(buffer, TransmitBuffer):
            raise OSError(errno.EBADF, f"{command.device!r:.40} is not open for writing")
        frame = buffer.frame_bytes
        left, rest = divmod(command.count, frame)
        self._send([integer(0)])
        if not left:
            return
        while left:
            n = min(left, buffer.samples)
            raw = np.empty(n * frame // SAMPLE_BYTES, np.dtype("<i2"))
            self._reader.fill(memoryview(raw).cast("B"))
            samples = buffer.convert(raw)
            self._pause()
            with self._station.lock:
                self._wait(buffer.room)
                buffer.push(samples)
                self._station.lock.notify_all()
            left -= n
        self._reader.fill(memoryview(bytearray(rest)))
        self._send([integer(command.count - rest)])

    # ------------------------------------------------------------------ waiting and sending

    def _wait(self, predicate: Callable[[], bool]) -> None:
        """Lock held: until ``predicate()``, at most for the client's time-out."""
        # As with the real daemon, whose time-out is one for all: the client sets it on the
        # connection of the context and then streams on another one.
        timeout_ms = self._station.timeout_ms if self._timeout_ms is None else self._timeout_ms
        end = time.monotonic() + timeout_ms / 1e3 if timeout_ms else float("inf")
        while not self._station.wait_for(predicate, min(LOOK_S, end - time.monotonic())):
            if self._gone():
                raise ConnectionAbortedError("client left while it waited")
            if time.monotonic() >= end:
                raise OSError(errno.ETIMEDOUT, f"nothing within {timeout_ms} ms")

    def _gone(self) -> bool:
        return bool(self._hangup.poll(0))

    def _pause(self) -> None:
        """Stand still while the device is stalled."""
        while self._station.stalled_for(LOOK_S):
            if self._gone():
                raise ConnectionAbortedError("client left while the device was stalled")

    def _send(self, parts: Sequence[bytes | np.ndarray]) -> None:
        views = [memoryview(part).cast("B") for part in parts]
        for start in range(0, len(views), MAX_PIECES):
            pieces = views[start : start + MAX_PIECES]
            sent = self._sock.sendmsg(pieces)
            for piece in pieces:  # a short send is rare: the socket blocks
                if sent < len(piece):
                    self._sock.sendall(piece[sent:])
                sent = max(0, sent - len(piece))
