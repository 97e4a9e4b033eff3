# SPDX-License-Identifier: GPL-3.0-or-later
"""Receives for some seconds, whatever happens: prints samples and errors as JSON each second."""

import json
import sys
import time

import numpy as np
import uhd

address, seconds = sys.argv[1], float(sys.argv[2])
usrp = uhd.usrp.MultiUSRP(f"addr={address},master_clock_rate=1e6")
arguments = uhd.usrp.StreamArgs("fc32", "sc16")
arguments.channels = [0]
receiver = usrp.get_rx_stream(arguments)
command = uhd.types.StreamCMD(uhd.types.StreamMode.start_cont)
command.stream_now = True
receiver.issue_stream_cmd(command)
samples, metadata = np.zeros((1, 10_000), np.complex64), uhd.types.RXMetadata()
print("up", flush=True)
count, errors, end = 0, {}, time.monotonic() + seconds
while time.monotonic() < end:
    count += receiver.recv(samples, metadata, 0.1)
    error = str(metadata.error_code).split(".")[-1]
    errors[error] = errors.get(error, 0) + 1
late = receiver.recv(samples, metadata, 2.0)
print(json.dumps({"samples": count, "errors": errors, "at_the_end": late}))
