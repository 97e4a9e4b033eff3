# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's part of a job, as small as it can be: a prompt and random symbols."""

import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import zmq

from host.supervise.ports import free_ports
from semcom_blocks import transport
from semcom_blocks.wire import Message

STOP_S = 10.0
STREAM = 1
SLICE_S = 0.01


def free_endpoint() -> str:
    """A loopback endpoint on which nobody listens at the moment."""
    return f"tcp://127.0.0.1:{free_ports(1)[0]}"


@contextmanager
def running(environment, program, *arguments):
    """A generated program as a process of its own; it must end by SIGTERM with status 0."""
    process = subprocess.Popen(
        [sys.executable, str(program), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            output, _ = process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "Traceback" not in output, output


@dataclass(frozen=True)
class Carried:
    """What came of a job; the SNR is implied by the error of the received symbols, in dB."""

    prompt: str | None
    delivered: bool | None
    missing: int
    snr_db: float
    cfo_hz: float


class Host:
    """Both sockets of a running flowgraph; ``timeout_s`` bounds every wait."""

    def __init__(self, source: str, sink: str, timeout_s: float = 15.0) -> None:
        self._context = zmq.Context()
        self._source = self._open(zmq.DEALER, source)
        self._sink = self._open(zmq.PULL, sink)
        self._timeout_s = timeout_s

    def _open(self, kind: int, endpoint: str) -> transport.MessageSocket:
        socket = transport.open_socket(self._context, kind, connect=endpoint)
        return transport.MessageSocket(socket)

    def close(self) -> None:
        """Give the sockets back."""
        self._source.close()
        self._sink.close()
        self._context.term()

    def wait_receiver(self) -> None:
        """Wait until the receiver runs: what is sent before is lost."""
        end_s = time.monotonic() + self._timeout_s
        while time.monotonic() < end_s:
            heard = self._sink.receive(SLICE_S)
            if heard is not None and heard.kind == "status":
                return
        raise AssertionError("the receiver gives no sign of life")

    def carry(self, job_id: int, prompt: str, n_symbols: int = 40_000) -> Carried:
        """Send a job and wait for both ends to be done with it."""
        rng = np.random.default_rng(job_id)
        symbols = (rng.standard_normal((n_symbols, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
        meta = {
            "job_id": job_id,
            "prompt": prompt,
            "streams": [{"stream_id": STREAM, "descriptor": {"n": n_symbols}}],
        }
        request = Message("transmit", meta, {f"stream_{STREAM}": symbols})
        assert self._source.send(request, self._timeout_s), "nobody takes the job"
        done = received = None
        cfo_hz = []
        end_s = time.monotonic() + self._timeout_s
        while (done is None or received is None) and time.monotonic() < end_s:
            told = self._source.receive(SLICE_S)
            heard = self._sink.receive(SLICE_S)
            if told is not None and told.kind == "tx_done":
                done = told.meta
            if heard is None or heard.meta.get("job_id") != job_id:
                continue
            if heard.kind == "frame":
                cfo_hz.append(heard.meta["cfo_hz"])
            elif heard.kind == "received":
                received = heard
        assert received is not None, "nothing was received"
        assert done is not None, "the sender never said that it was done"
        error = received.arrays[f"stream_{STREAM}"] - symbols
        there = np.isfinite(received.arrays[f"noise_var_{STREAM}"])
        power = float(np.mean(np.abs(error[there]) ** 2)) if there.any() else np.inf
        return Carried(
            prompt=received.meta["prompt"],
            delivered=done["delivered"],
            missing=int(np.count_nonzero(~there)),
            snr_db=-10 * np.log10(power),
            cfo_hz=float(np.mean(cfo_hz)),
        )


def open_host(source: str, sink: str, timeout_s: float = 15.0) -> closing:
    """A :class:`Host` for a ``with`` statement."""
    return closing(Host(source, sink, timeout_s))
