# SPDX-License-Identifier: GPL-3.0-or-later
"""gr-uhd's sink and source on two devices, full duplex: prints what arrived as JSON."""

import json
import sys
import time

import numpy as np
from gnuradio import analog, blocks, gr, uhd

RATE_HZ = 2e6
N = 500_000
CARRIERS_HZ = (915e6, 925e6)
TONES = (1 / 64, 1 / 32)  # cycles a sample

graph = gr.top_block("two radios", catch_exceptions=False)
received = []
for me, address in enumerate(sys.argv[1:3]):
    arguments = f"addr={address},master_clock_rate={RATE_HZ:g}"
    stream = uhd.stream_args(cpu_format="fc32", args="", channels=[0])
    sink, source = uhd.usrp_sink(arguments, stream, ""), uhd.usrp_source(arguments, stream)
    for block in (sink, source):
        block.set_samp_rate(RATE_HZ)
    sink.set_center_freq(CARRIERS_HZ[me], 0)
    source.set_center_freq(CARRIERS_HZ[1 - me], 0)
    sink.set_gain(89.75, 0)
    source.set_gain(33, 0)
    tone = analog.sig_source_c(RATE_HZ, analog.GR_COS_WAVE, RATE_HZ * TONES[me], 0.5)
    samples = blocks.vector_sink_c(1, N)
    graph.connect(tone, sink)
    graph.connect(source, blocks.head(gr.sizeof_gr_complex, N), samples)
    received.append((source, samples))
graph.start()
while any(len(samples.data()) < N for _, samples in received):
    time.sleep(0.05)
graph.stop()
graph.wait()
heard = []
for source, samples in received:
    row = np.array(samples.data(), np.complex64)
    spectrum = abs(np.fft.fft(row[-65536:])) ** 2
    peak = int(np.argmax(spectrum))
    tags = [str(tag.key) for tag in samples.tags()]
    heard.append(
        {
            "rate_hz": source.get_samp_rate(),
            "tone": peak / 65536,
            "amplitude": float(np.sqrt(spectrum[peak])) / 65536,
            "purity": float(spectrum[peak] / spectrum.sum()),
            "times": tags.count("rx_time"),
        }
    )
print(json.dumps(heard))
