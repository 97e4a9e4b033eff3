# SPDX-License-Identifier: GPL-3.0-or-later
"""The device's sockets, each with a thread that waits for bytes and hands them on."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable

from semcom_blocks.air.usrp.chdr import MAX_PACKET_BYTES
from semcom_blocks.air.usrp.rpc import Session
from semcom_blocks.errors import RadioError, WireError

# Packets handed on together: one turn of the lock for all that have come meanwhile.
BATCH = 64
# libuhd keeps one connection to a device, an application may use several.
MAX_CONNECTIONS = 16
RECEIVE_BYTES = 64 * 1024
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
PAUSE_S = 0.01  # how often a paused thread looks again
STOP_S = 2.0  # a thread that has not ended by then is left behind
REPLY_S = 1.0  # how long a client may leave an answer unread

Datagrams = list[tuple[bytes, tuple[str, int]]]

_log = logging.getLogger(__name__)


def bind(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """A socket bound to an address; :class:`RadioError` names one in use."""
    sock = socket.socket(socket.AF_INET, kind)
    try:
        if kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        sock.bind((address, port))
        if kind is socket.SOCK_STREAM:
            sock.listen(MAX_CONNECTIONS)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise RadioError(f"address is {address}:{port}, permitted: a free one ({error})") from error
    return sock


class Service(threading.Thread):
    """A thread that waits for its socket; while ``paused()`` it leaves what comes unread."""

    def __init__(self, name: str, sock: socket.socket, paused: Callable[[], bool]) -> None:
        super().__init__(name=name, daemon=True)
        self.sock = sock
        self._paused = paused
        self._waker, self._woken = socket.socketpair()
        self._ending = False

    def run(self) -> None:
        """Until :meth:`stop` or the peer's end."""
        poller = select.poll()
        poller.register(self.sock, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        try:
            while not self._ending:
                poller.poll()
                if self._ending:
                    break
                if self._paused():
                    time.sleep(PAUSE_S)
                elif not self.ready():
                    break
        except Exception:  # one socket must not take the device along
            _log.exception("%s broke", self.name)
        finally:
            for end in (self.sock, self._waker, self._woken):
                end.close()
            self.closed()

    def ready(self) -> bool:
        """Something has come; False ends the service."""
        raise NotImplementedError

    def closed(self) -> None:
        """The service has ended."""

    def stop(self) -> None:
        """End the thread, if it is not the caller's own, and close the socket."""
        self._ending = True
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")
        if self.is_alive() and threading.current_thread() is not self:
            self.join(STOP_S)


class DatagramService(Service):
    """Hands on datagrams, as many at once as there are."""

    def __init__(
        self,
        name: str,
        sock: socket.socket,
        paused: Callable[[], bool],
        handle: Callable[[Datagrams], None],
    ) -> None:
        super().__init__(name, sock, paused)
        self._handle = handle

    def ready(self) -> bool:
        """Read and hand on."""
        batch: Datagrams = []
        with contextlib.suppress(OSError):  # nothing more, or an answer that nobody took
            while len(batch) < BATCH:
                batch.append(self.sock.recvfrom(MAX_PACKET_BYTES))
        if batch:
            try:
                self._handle(batch)
            except Exception:  # these packets are lost, the next ones need not be
                _log.exception("%s: packets lost", self.name)
        return True


class RpcConnection(Service):
    """One client of the RPC server."""

    def __init__(
        self,
        name: str,
        sock: socket.socket,
        paused: Callable[[], bool],
        server: RpcService,
    ) -> None:
        super().__init__(name, sock, paused)
        self._server = server
        self._session = Session(lambda method, arguments: server.call(self, method, arguments))

    def ready(self) -> bool:
        """Read, carry out, answer; a message that makes no sense ends the connection."""
        try:
            data = self.sock.recv(RECEIVE_BYTES)
            if not data:
                return False
            for reply in self._session.receive(data):
                if self._paused():
                    time.sleep(PAUSE_S)
                self.sock.settimeout(REPLY_S)
                self.sock.sendall(reply)
                self.sock.settimeout(0.0)
        except BlockingIOError:
            return True
        except WireError as error:
            self._server.refused(error)
            return False
        except OSError:
            return False
        return True

    def closed(self) -> None:
        """Tell the server."""
        self._server.gone(self)


class RpcService(Service):
    """Accepts clients; ``call(client, method, arguments)`` carries out what they ask."""

    def __init__(
        self,
        name: str,
        sock: socket.socket,
        paused: Callable[[], bool],
        call: Callable[[object, object, object], object],
        left: Callable[[object], None],
        refused: Callable[[WireError], None],
    ) -> None:
        super().__init__(name, sock, paused)
        self.call = call
        self.refused = refused
        self._left = left
        self._clients: set[RpcConnection] = set()

    def ready(self) -> bool:
        """Let a client in, if there is room."""
        try:
            sock, _ = self.sock.accept()
        except OSError:
            return True
        if len(self._clients) >= MAX_CONNECTIONS:
            sock.close()
            return True
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        client = RpcConnection(f"{self.name} client", sock, self._paused, self)
        self._clients.add(client)
        client.start()
        return True

    def gone(self, client: RpcConnection) -> None:
        """A client's connection has ended."""
        self._clients.discard(client)
        self._left(client)

    def closed(self) -> None:
        """End the clients with the server."""
        for client in list(self._clients):
            client.stop()
