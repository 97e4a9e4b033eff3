# SPDX-License-Identifier: GPL-3.0-or-later
"""What every job needs: a work folder, supervised processes, and their sockets."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Literal

import zmq

from host.client import HostClient
from host.config import Endpoints, RunConfig
from host.pipeline.keeper import Keeper
from host.pipeline.outcome import Outcome
from host.pipeline.ports import SLICE_S, RadioPort, SinkPort, SourcePort, wait_ready
from host.pipeline.processes import start_host, start_radio
from host.pipeline.recordings import written
from host.pipeline.viewer import show_picture
from host.pipeline.virtual_air import virtual_radios
from host.service.__main__ import default_threads
from host.supervise import Child, Supervisor, free_ports
from host.supervise.air import start_air
from semcom_blocks.phy.estimators import REMOTE
from semcom_blocks.wire import Message

# Whoever waits for a recording waits for its metadata, even on a machine with other work.
RECORDED_GRACE_S = 20.0
# Importing GNU Radio from a cold disk takes some seconds.
READY_TIMEOUT_S = 60.0

_log = logging.getLogger(__name__)


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
        self._host_endpoint = self._serving = host_endpoint
        self._threads = threads or default_threads()
        self._stack = contextlib.ExitStack()
        self._log_dir = log_dir
        self._sender: Child | None = None
        self._receiver: Child | None = None
        self.keepers: dict[str, Keeper] = {}
        self._ended: dict[str, dict[str, int]] = {}

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
        """Raise the named error of a process that died, unless it can be started again."""
        self.crew.check()
        for keeper in self.keepers.values():
            keeper.turn()

    def wait_devices(self) -> None:
        """Wait until no device is lost; raises a named error for one that stays away."""
        while True:
            self.alive()
            if not any(keeper.down for keeper in self.keepers.values()):
                break
            time.sleep(SLICE_S)
        for keeper in self.keepers.values():
            keeper.recovered()  # nothing was under way

    def rest(self, seconds: float) -> None:
        """Let the processes do what they do."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.alive()
            time.sleep(SLICE_S)

    def open_air(self) -> str | None:
        """Start the virtual radios that a bare kind stands for, and use them from now on.

        Returns the endpoint that controls their air; None where there is no such air.
        """
        if not self.run.radio.wants_air:
            return None
        air, self.run = virtual_radios(self.run)
        return start_air(self.crew, air.document(), self.work_dir)[1]

    def open_host(self) -> HostClient:
        """Start the model service, or use the one that was named; connect to it."""
        endpoint = self._host_endpoint
        if endpoint is None:
            endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
            start_host(self.crew, endpoint, self._threads, self.run.models)
        self.host = HostClient(self._context, endpoint, self.alive)
        self._serving = endpoint
        return self.host

    def _load_estimator(self) -> None:
        """Have the service load what the receiver will ask of it, before anything is on the air.

        Raises the named error of weights that are missing or damaged.
        """
        if self.run.radio.estimator == REMOTE:
            self.host.ping(READY_TIMEOUT_S)
            self.host.request(Message("estimator"), "estimator")

    def open_sender(self, spawn: bool = True, repeatable: bool = False) -> SourcePort:
        """Start the sending radio (or expect it to run) and connect to its source."""
        self.source = SourcePort(self._context, Endpoints.of(self.run.network, "tx").source)
        if spawn:
            self._sender = self._start("tx", self.source, repeatable)
        return self.source

    def open_receiver(self, spawn: bool = True) -> SinkPort:
        """Start the receiving radio (or expect it to run) and connect to its sink."""
        self.sink = SinkPort(self._context, Endpoints.of(self.run.network, "rx").sink)
        self._load_estimator()
        if spawn:
            self._receiver = self._start("rx", self.sink)
        return self.sink

    def _start(
        self, role: Literal["tx", "rx"], port: RadioPort, repeatable: bool = False
    ) -> Child | None:
        """Start a radio; one with a device that may be lost gets a keeper."""
        if not self.run.radio.is_hardware:
            return start_radio(
                self.crew,
                role,
                self.run,
                self.work_dir,
                repeatable=repeatable,
                host_endpoint=self._serving,
            )

        def start() -> Child:
            # Two runs of a process must not send under the same session: see radio_job.
            return start_radio(
                self.crew,
                role,
                self.run,
                self.work_dir,
                watched=False,
                host_endpoint=self._serving,
            )

        self.keepers[role] = Keeper(self.crew, port, start)
        return None

    def device_counters(self) -> dict[str, dict[str, int]]:
        """What each kept radio counted about its device."""
        now = {role: keeper.counters() for role, keeper in self.keepers.items()}
        return {**self._ended, **now}

    def end_sender(self) -> None:
        """End the sending radio in order: a recording gets its name only then."""
        child, self._sender = self._sender or self._kept("tx"), None
        self._end(child)

    def end_receiver(self) -> None:
        """The same with the receiving radio."""
        child, self._receiver = self._receiver or self._kept("rx"), None
        self._end(child)

    def _kept(self, role: str) -> Child | None:
        """A radio's process that from now on nobody starts again."""
        keeper = self.keepers.pop(role, None)
        if keeper is None:
            return None
        self._ended[role] = keeper.counters()
        return keeper.child

    def _end(self, child: Child | None) -> None:
        if child is None:
            return
        end = self.crew.stop(child, RECORDED_GRACE_S)
        if end is not None and end.code == 0:
            return
        failure = child.failure(end or child.unended())
        if not written(self.run):
            raise failure
        # The job is over and its recording has its name: that a driver hung is no loss.
        _log.warning("%s", failure)

    def show(self, outcome: Outcome) -> None:
        """Show the picture in the flowgraph that received it, if that has a place for it."""
        endpoint = f"tcp://127.0.0.1:{self.run.network.picture_port}"
        show_picture(self._context, endpoint, outcome)

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> dict[str, object]:
        """Wait for a sign of life of everything opened; returns the host's ``pong``."""
        wait_ready(self.source, self.sink, self.alive, timeout_s)
        return self.host.ping(timeout_s)
