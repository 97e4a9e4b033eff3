# SPDX-License-Identifier: GPL-3.0-or-later
"""One child process: its group, its log, and what its end meant."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from host.supervise.environment import REPO_ROOT
from semcom_blocks.errors import PeerError, RadioError, SemcomError

ERROR_PREFIX = "semcom: error: "  # how every process of the testbed words a named error
NAMED_ERROR_EXIT = 2
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
LOG_TAIL_BYTES = 8192  # enough for the last line of any log; a traceback's end fits too
LINE_CHARS_MAX = 300

# Loaded before any fork: between fork and exec only async-signal-safe work is allowed.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def _die_with_parent(parent: int) -> None:
    """In the child before exec: ask the kernel for SIGKILL when the parent is gone."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the request was in place
            os._exit(1)


@dataclass(frozen=True)
class Exit:
    """How a child ended: ``code`` as subprocess gives it, and its log's last line."""

    code: int
    last_line: str

    @property
    def reason(self) -> str:
        """``signal 9`` or ``exit code 1``."""
        return f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"


class Child:
    """A process in a session of its own, its output in a log file."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        append: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        parent = os.getpid()
        with log.open("ab" if append else "wb") as output:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=REPO_ROOT,
                start_new_session=True,  # Ctrl-C reaches us, and we end it in order
                preexec_fn=lambda: _die_with_parent(parent),
            )

    @property
    def pid(self) -> int:
        """Process id, which is also its group's id."""
        return self._process.pid

    def poll(self) -> Exit | None:
        """``None`` while it runs, else how it ended."""
        code = self._process.poll()
        return None if code is None else Exit(code, self.last_line(code == NAMED_ERROR_EXIT))

    def last_line(self, named: bool = False) -> str:
        """The last non-empty line of its log, printable, shortened.

        ``named``: the last one that words a named error, if there is any: a driver's threads
        may speak after it.
        """
        try:
            with self.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
                tail = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [line.strip() for line in tail.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(ERROR_PREFIX)] if named else []
        line = (errors or lines or [""])[-1]
        return "".join(c if c.isprintable() else "?" for c in line)[:LINE_CHARS_MAX]

    def unended(self) -> Exit:
        """The record of a child that did not end in time and had to be killed."""
        return Exit(-signal.SIGKILL, self.last_line())

    def failure(self, end: Exit) -> SemcomError:
        """The error that an unexpected ``end`` of this child stands for."""
        line = end.last_line
        if end.code == NAMED_ERROR_EXIT and line.startswith(ERROR_PREFIX):
            return RadioError(f"{self.name}: {line[len(ERROR_PREFIX) :]}")
        if line.startswith(("ModuleNotFoundError", "ImportError")):
            return RadioError(
                f"{self.name}: its interpreter lacks a package ({line}); "
                "./semcom doctor tells how to get it"
            )
        text = f"{self.name} process died ({end.reason})"
        return PeerError(f"{text}: {line}" if line else text)

    def signal(self, number: int) -> None:
        """Send ``number`` to the whole group; no error if it is gone already."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def wait(self, timeout_s: float) -> Exit | None:
        """Wait up to ``timeout_s`` for its end."""
        deadline = time.monotonic() + timeout_s
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        return self.poll()
