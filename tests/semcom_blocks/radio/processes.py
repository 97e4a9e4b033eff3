# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio processes as a command starts them, and the host's end of their sockets."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from host.supervise.ports import free_ports
from semcom_blocks import transport
from semcom_blocks.wire import Message

REPO_ROOT = Path(__file__).resolve().parents[3]
#: A job takes a tenth of a second; the rest is for a machine under load.
PATIENCE_S = 20.0
CHANNEL = {"model": "awgn", "snr_db": 10.0}


def endpoints() -> dict[str, str]:
    """Loopback endpoints on which nobody listens at the moment."""
    names = ("source", "sink", "feedback", "samples", "return_samples")
    ports = free_ports(len(names))
    return {name: f"tcp://127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}


class Radio:
    """One radio process; ``stop`` ends it, and so does the end of a ``with`` statement."""

    def __init__(self, folder: Path, role: str, **job: Any) -> None:
        config = folder / f"{role}-{time.monotonic_ns()}.json"
        config.write_text(json.dumps({"role": role, **job}))
        self.log = config.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "semcom_blocks.radio", role, "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPO_ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )

    def __enter__(self) -> "Radio":
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def said(self) -> str:
        """Everything on stdout and stderr so far."""
        return self.log.read_text()

    def wait(self) -> int:
        """Exit status of a process that ends on its own."""
        return self.process.wait(PATIENCE_S)

    def stop(self, patience_s: float = 2.0) -> int:
        """SIGTERM; returns the exit status, which must come within ``patience_s``."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience_s)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def cpu_s(self) -> float:
        """Processor time so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kib(self) -> int:
        """Resident memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@dataclass
class Result:
    """What both radios said about one job."""

    job_id: int
    sent: np.ndarray
    told: list[Message] = field(default_factory=list)
    frames: list[Message] = field(default_factory=list)
    received: list[Message] = field(default_factory=list)

    @property
    def done(self) -> Message | None:
        return next((m for m in self.told if m.kind == "tx_done"), None)

    def error_db(self) -> float:
        """SNR implied by the error of what arrived, in dB; all of it must have."""
        symbols = self.received[0].arrays["stream_1"]
        assert np.isfinite(self.received[0].arrays["noise_var_1"]).all()
        return float(-10 * np.log10(np.mean(np.abs(symbols - self.sent) ** 2)))


def gaussian(n: int, seed: int = 0) -> np.ndarray:
    """Unit-power symbols, complex64 (n,)."""
    parts = np.random.default_rng(seed).standard_normal((n, 2))
    return (parts @ [1, 1j] / np.sqrt(2)).astype(np.complex64)


def request(job_id: int, prompt: str, symbols: np.ndarray, **changes: Any) -> Message:
    """A job with one stream."""
    streams = [{"stream_id": 1, "descriptor": {"c": "test"}}]
    meta = {"id": str(job_id), "job_id": job_id, "prompt": prompt, "streams": streams}
    return Message("transmit", meta | changes, {"stream_1": symbols})


class Host:
    """The host's sockets: to a Semantic Source, from a Semantic Sink, or both.

    ``received`` lists the number of every job that came out, ``ended`` counts recordings.
    """

    def __init__(self, source: str | None = None, sink: str | None = None) -> None:
        self.context = zmq.Context()
        self.source = source and self._open(zmq.DEALER, source)
        self.sink = sink and self._open(zmq.PULL, sink)
        self.received: list[int] = []
        self.ended = 0

    def _open(self, kind: int, endpoint: str) -> transport.MessageSocket:
        return transport.MessageSocket(transport.open_socket(self.context, kind, connect=endpoint))

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_error: object) -> None:
        for socket in (self.source, self.sink):
            if socket:
                socket.close()
        self.context.term()

    def ready(self) -> None:
        """Wait until every radio gave a sign of life."""
        if self.source:
            assert self.source.send(Message("ping"), PATIENCE_S)
            assert self.source.receive(PATIENCE_S) is not None
        if self.sink:
            assert self.sink.receive(PATIENCE_S) is not None

    def ask(self, message: Message) -> Message:
        """The next answer of the Semantic Source."""
        assert self.source.send(message, PATIENCE_S)
        answer = self.source.receive(PATIENCE_S)
        assert answer is not None
        return answer

    def begin(self, job_id: int, prompt: str = "a cat", n: int = 20_000, **changes: Any) -> Result:
        """Hand a job in."""
        result = Result(job_id, gaussian(n, job_id))
        message = request(job_id, prompt, result.sent, **changes)
        assert self.source.send(message, PATIENCE_S)
        return result

    def collect(self, result: Result, until: Any, patience_s: float = PATIENCE_S) -> Result:
        """Take messages until ``until(result)``; those of other jobs are dropped."""
        end_s = time.monotonic() + patience_s
        while not until(result):
            assert time.monotonic() < end_s, f"job {result.job_id} did not get so far"
            if self.source and (told := self.source.receive(0.005)):
                assert told.kind != "error", told.meta
                if told.meta.get("job_id") == result.job_id:
                    result.told.append(told)
            heard = self.sink.receive(0.005) if self.sink else None
            if heard is None:
                continue
            self.ended += heard.kind == "end"
            if heard.kind == "received":
                self.received.append(heard.meta["job_id"])
            if heard.meta.get("job_id") == result.job_id:
                (result.frames if heard.kind == "frame" else result.received).append(heard)
        return result

    def carry(self, job_id: int, prompt: str = "a cat", n: int = 20_000) -> Result:
        """Hand a job in and wait until both radios are done with it."""
        result = self.begin(job_id, prompt, n)
        return self.collect(result, lambda r: r.done is not None and r.received)
