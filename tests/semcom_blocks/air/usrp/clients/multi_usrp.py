# SPDX-License-Identifier: GPL-3.0-or-later
"""UHD's own Python interface against one device: prints what it saw as JSON."""

import json
import sys

import numpy as np
import uhd

RATE_HZ = 1e6
N = 8192
WAIT_S = 5.0

address = sys.argv[1]
usrp = uhd.usrp.MultiUSRP(f"addr={address},master_clock_rate={RATE_HZ:g}")
seen = {"rates": [], "serial": usrp.get_usrp_rx_info(0)["mboard_serial"]}

for rate_hz in (2e6, 220e3, RATE_HZ):
    usrp.set_rx_rate(rate_hz, 0)
    seen["rates"].append([usrp.get_rx_rate(0), usrp.get_tx_rate(0)])
try:
    usrp.set_tx_rate(100e6, 0)
except RuntimeError as error:
    seen["refused"] = str(error)

for channel in (0, 1):
    usrp.set_rx_gain(33, channel)
    usrp.set_tx_gain(89.75, channel)
    for tune in (usrp.set_rx_freq, usrp.set_tx_freq):
        tune(uhd.types.TuneRequest(915e6), channel)
seen["carrier_hz"] = usrp.get_rx_freq(0)
usrp.set_rx_bandwidth(1.5e6, 0)
seen["bandwidth_hz"] = usrp.get_rx_bandwidth(0)
seen["locked"] = [
    usrp.get_rx_sensor("lo_locked", 0).to_bool(),
    usrp.get_tx_sensor("lo_locked", 1).to_bool(),
    usrp.get_mboard_sensor("ref_locked").to_bool(),
]
usrp.set_time_now(uhd.types.TimeSpec(100.0))
seen["time_s"] = usrp.get_time_now().get_real_secs()


def streams(channels):
    arguments = uhd.usrp.StreamArgs("fc32", "sc16")
    arguments.channels = channels
    return usrp.get_rx_stream(arguments), usrp.get_tx_stream(arguments)


def event(sender):
    """Name and time of the next asynchronous message."""
    told = uhd.types.TXAsyncMetadata()
    if not sender.recv_async_msg(told, WAIT_S):
        return None
    return str(told.event_code).split(".")[-1], told.time_spec.get_real_secs()


def timed(receiver, sender, channels):
    """A burst of 1000 samples on each channel within a reception of N, by time alone."""
    start_s = usrp.get_time_now().get_real_secs() + 0.2
    command = uhd.types.StreamCMD(uhd.types.StreamMode.num_done)
    command.num_samps, command.stream_now = N, False
    command.time_spec = uhd.types.TimeSpec(start_s)
    receiver.issue_stream_cmd(command)
    burst = uhd.types.TXMetadata()
    burst.has_time_spec = burst.start_of_burst = burst.end_of_burst = True
    burst.time_spec = uhd.types.TimeSpec(start_s + 3000 / RATE_HZ)
    turns = np.arange(1000) / 10
    tone = 0.5 * np.exp(2j * np.pi * turns).astype(np.complex64)
    sender.send(np.tile(tone, (len(channels), 1)), burst, WAIT_S)
    samples = np.zeros((len(channels), N), np.complex64)
    metadata = uhd.types.RXMetadata()
    got = receiver.recv(samples, metadata, WAIT_S)
    found = []
    for row in samples:
        loud = np.flatnonzero(abs(row) > 0.25)
        part = row[loud[0] : loud[0] + 1000]
        found.append([int(loud[0]), int(loud[-1]), abs(np.vdot(tone, part)) / 250.0])
    error_s = metadata.time_spec.get_real_secs() - start_s
    return {"got": got, "bursts": found, "error_s": error_s, "event": event(sender)[0]}


for name, channels in (("one", [0]), ("second", [1]), ("both", [0, 1])):
    receiver, sender = streams(channels)
    seen[name] = timed(receiver, sender, channels)
    del receiver, sender

receiver, sender = streams([0])
samples, metadata = np.zeros((1, N), np.complex64), uhd.types.RXMetadata()
late = uhd.types.TXMetadata()
late.has_time_spec = late.start_of_burst = late.end_of_burst = True
late.time_spec = uhd.types.TimeSpec(1.0)
sender.send(samples[:, :100], late, WAIT_S)
seen["late_burst"] = event(sender)[0]

command = uhd.types.StreamCMD(uhd.types.StreamMode.num_done)
command.num_samps, command.stream_now = 10, False
command.time_spec = uhd.types.TimeSpec(1.0)
receiver.issue_stream_cmd(command)
receiver.recv(samples, metadata, WAIT_S)
seen["late_command"] = str(metadata.error_code).split(".")[-1]

start = uhd.types.StreamCMD(uhd.types.StreamMode.start_cont)
start.stream_now = True
receiver.issue_stream_cmd(start)
errors, gaps, next_s, count = set(), 0, None, 0
while count < 1_000_000:
    got = receiver.recv(samples, metadata, WAIT_S)
    now_s = metadata.time_spec.get_real_secs()
    gaps += next_s is not None and abs(now_s - next_s) > 0.5 / RATE_HZ
    next_s, count = now_s + got / RATE_HZ, count + got
    errors.add(str(metadata.error_code).split(".")[-1])
receiver.issue_stream_cmd(uhd.types.StreamCMD(uhd.types.StreamMode.stop_cont))
seen["continuous"] = {"errors": sorted(errors), "gaps": int(gaps)}

# A burst that is opened and left open runs dry.
burst = uhd.types.TXMetadata()
burst.start_of_burst = True
sender.send(samples[:, :100], burst, WAIT_S)
seen["left_open"] = event(sender)[0]
print(json.dumps(seen))
