# SPDX-License-Identifier: GPL-3.0-or-later
"""A libiio client at full speed: ``python -m host.bench.air_client URI RATE_HZ SECONDS``.

Sends and receives at once over one context each, in two threads.  Says ``ready`` on stdout,
waits for a line on stdin, streams, and tells as one line of JSON how many samples a second
it sent and received between the first half second and the last.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import numpy as np

#: A few milliseconds at 10 MS/s; what pyadi-iio's users take for throughput.
BUFFER_SAMPLES = 1 << 16
#: Streaming before and after the window that counts.
MARGIN_S = 0.5
LO_HZ = 915_000_000
RX_GAIN_DB = 30
_TIMEOUT_MS = 20_000


def open_radio(uri: str, rate_hz: float) -> Any:
    """A context, tuned."""
    import iio

    context = iio.Context(uri)
    context.set_timeout(_TIMEOUT_MS)
    phy = context.find_device("ad9361-phy")
    receiver = phy.find_channel("voltage0", False)
    receiver.attrs["sampling_frequency"].value = str(int(rate_hz))
    receiver.attrs["gain_control_mode"].value = "manual"
    receiver.attrs["hardwaregain"].value = str(RX_GAIN_DB)
    for lo in ("altvoltage0", "altvoltage1"):
        phy.find_channel(lo, True).attrs["frequency"].value = str(LO_HZ)
    return context


def open_buffer(context: Any, core: str, output: bool) -> Any:
    """A buffer of I and Q."""
    import iio

    device = context.find_device(core)
    for name in ("voltage0", "voltage1"):
        device.find_channel(name, output).enabled = True
    return iio.Buffer(device, BUFFER_SAMPLES, False)


class _Stream(threading.Thread):
    """Calls ``turn`` again and again; counts the samples within the window."""

    def __init__(self, turn: Any, seconds: float) -> None:
        super().__init__(daemon=True)
        self.msps = 0.0
        self.failure: Exception | None = None
        self._turn, self._seconds = turn, seconds

    def run(self) -> None:
        start = time.monotonic() + MARGIN_S
        first = last = 0.0
        count = 0
        try:
            while (now := time.monotonic()) < start + self._seconds + MARGIN_S:
                self._turn()
                if now >= start and not first:
                    first, count = now, 0
                if now < start + self._seconds:
                    last = time.monotonic()
                    count += BUFFER_SAMPLES
            self.msps = count / (last - first) / 1e6
        except OSError as error:
            self.failure = error


def main(uri: str, rate_hz: float, seconds: float) -> int:
    """Stream both ways; 0 unless a call failed."""
    sender, receiver = open_radio(uri, rate_hz), open_radio(uri, rate_hz)
    turns = 2 * np.pi * np.arange(BUFFER_SAMPLES) * 1024 / BUFFER_SAMPLES
    parts = (8192 * np.stack([np.cos(turns), np.sin(turns)], axis=1)).astype("<i2")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    out = open_buffer(sender, "cf-ad9361-dds-core-lpc", True)
    out.write(bytearray(parts.tobytes()))
    into = open_buffer(receiver, "cf-ad9361-lpc", False)
    streams = [_Stream(out.push, seconds), _Stream(into.refill, seconds)]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join()
        if stream.failure is not None:
            sys.stderr.write(f"semcom: error: {uri}: {stream.failure}\n")
            return 1
    sys.stdout.write(json.dumps({"tx": streams[0].msps, "rx": streams[1].msps}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
