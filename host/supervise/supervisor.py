# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, watch and end the processes of one command.

``with Supervisor(log_dir) as crew`` guarantees that every child is gone when the
block is left, by whatever way. A child that ends uninvited is an error that names
it; a command that waits for anything calls :meth:`Supervisor.check` while it waits.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from host.supervise.child import Child, Exit

# A flowgraph needs a moment to stop its threads; a stuck one does not get more.
TERMINATE_GRACE_S = 3.0
KILL_WAIT_S = 5.0

_log = logging.getLogger(__name__)


class Supervisor:
    """The children of one command."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: list[Child] = []
        self._unwatched: set[Child] = set()
        self._bases: list[Child] = []
        self._names: set[str] = set()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        watched: bool = True,
        base: bool = False,
    ) -> Child:
        """Start ``argv`` as child ``name``; its output goes to the end of ``NAME.log``.

        ``watched``: its end is an error of :meth:`check`; else the caller looks after it.
        ``base``: the others stand on it, so it is ended after them.
        """
        log = self._log_dir / f"{name.replace(' ', '-')}.log"
        child = Child(name, argv, environment, log, append=name in self._names)
        self._names.add(name)
        self._children.append(child)
        if not watched:
            self._unwatched.add(child)
        if base:
            self._bases.append(child)
        _log.info("started %s (pid %d)", name, child.pid)
        return child

    def pids(self) -> list[int]:
        """Process ids of all children."""
        return [child.pid for child in self._children]

    def check(self) -> None:
        """Raise the named error of the first child that ended uninvited."""
        for child in self._children:
            end = None if child in self._unwatched else child.poll()
            if end is not None:
                raise child.failure(end)

    def stop(self, child: Child, grace_s: float = TERMINATE_GRACE_S) -> Exit | None:
        """End one child in order; it is no longer watched."""
        self._forget(child)
        return _end([child], grace_s).get(child)

    def kill(self, child: Child) -> None:
        """End one child at once: it hangs, or is over already."""
        self._forget(child)
        child.signal(signal.SIGKILL)
        child.wait(KILL_WAIT_S)

    def _forget(self, child: Child) -> None:
        self._unwatched.discard(child)
        if child in self._children:
            self._children.remove(child)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        children, self._children = self._children, []
        _end([child for child in children if child not in self._bases])
        _end([child for child in children if child in self._bases])


def _end(children: Sequence[Child], grace_s: float = TERMINATE_GRACE_S) -> dict[Child, Exit | None]:
    """SIGTERM to all, a shared grace, SIGKILL to the groups of all."""
    for child in children:
        child.signal(signal.SIGCONT)  # a stopped process would not see SIGTERM
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    for child in children:
        if child.wait(deadline - time.monotonic()) is None:
            _log.warning("%s ignored SIGTERM for %.0f s: killed", child.name, grace_s)
    for child in children:
        child.signal(signal.SIGKILL)  # also what it may have started itself
    return {child: child.wait(KILL_WAIT_S) for child in children}
