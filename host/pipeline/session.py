# SPDX-License-Identifier: GPL-3.0-or-later
"""What every job needs: a work folder, supervised processes, and their sockets."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from types import TracebackType

import zmq

from host.client import HostClient
from host.config import Endpoints, RunConfig
from host.pipeline.ports import SinkPort, SourcePort, wait_ready
from host.pipeline.processes import start_host, start_radio
from host.service.__main__ import default_threads
from host.supervise import Child, Supervisor, free_ports

# Importing GNU Radio from a cold disk takes some seconds.
READY_TIMEOUT_S = 60.0


class Session:
    """Processes and sockets of one command; everything ends with the ``with`` block.

    ``host_endpoint``: a service that runs already; otherwise one is started.
    ``log_dir``: keep the processes' logs there; otherwise they go with the session.
    """

    def __init__(
        self,
        run: RunConfig,
        *,
        host_endpoint: str | None = None,
        threads: int | None = None,
        log_dir: Path | None = None,
    ) -> None:
        self.run = run
        self.source: SourcePort | None = None
        self.sink: SinkPort | None = None
        self._host_endpoint = host_endpoint
        self._threads = threads or default_threads()
        self._stack = contextlib.ExitStack()
        self._log_dir = log_dir
        self._sender: Child | None = None
        self._receiver: Child | None = None

    def __enter__(self) -> Session:
        with contextlib.ExitStack() as stack:
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="semcom-"))
            self.work_dir = Path(name)
            if self._log_dir is not None:
                self._log_dir.mkdir(parents=True, exist_ok=True)
            self.crew = stack.enter_context(Supervisor(self._log_dir or self.work_dir))
            self._context = zmq.Context()
            stack.callback(self._context.destroy, linger=0)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def alive(self) -> None:
        """Raise the named error of a process that died."""
        self.crew.check()

    def open_host(self) -> HostClient:
        """Start the model service, or use the one that was named; connect to it."""
        endpoint = self._host_endpoint
        if endpoint is None:
            endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
            start_host(self.crew, endpoint, self._threads, self.run.models)
        self.host = HostClient(self._context, endpoint, self.alive)
        return self.host

    def open_sender(self, spawn: bool = True, repeatable: bool = False) -> SourcePort:
        """Start the sending radio (or expect it to run) and connect to its source."""
        if spawn:
            self._sender = start_radio(
                self.crew, "tx", self.run, self.work_dir, repeatable=repeatable
            )
        self.source = SourcePort(self._context, Endpoints.of(self.run.network, "tx").source)
        return self.source

    def open_receiver(self, spawn: bool = True) -> SinkPort:
        """Start the receiving radio (or expect it to run) and connect to its sink."""
        if spawn:
            self._receiver = start_radio(self.crew, "rx", self.run, self.work_dir)
        self.sink = SinkPort(self._context, Endpoints.of(self.run.network, "rx").sink)
        return self.sink

    def end_sender(self) -> None:
        """End the sending radio in order: a recording gets its name only then."""
        child, self._sender = self._sender, None
        self._end(child)

    def end_receiver(self) -> None:
        """The same with the receiving radio."""
        child, self._receiver = self._receiver, None
        self._end(child)

    def _end(self, child: Child | None) -> None:
        if child is None:
            return
        end = self.crew.stop(child)
        if end is None or end.code != 0:
            raise child.failure(end or child.unended())

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> dict[str, object]:
        """Wait for a sign of life of everything opened; returns the host's ``pong``."""
        wait_ready(self.source, self.sink, self.alive, timeout_s)
        return self.host.ping(timeout_s)
