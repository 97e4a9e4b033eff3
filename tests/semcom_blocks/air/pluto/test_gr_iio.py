# SPDX-License-Identifier: GPL-3.0-or-later
"""gr-iio's fmcomms2 blocks, unmodified: two virtual Plutos, full duplex, in virtual time.

The air has a process of its own, since these blocks hold Python's lock while they connect.
"""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import zmq
from gnuradio import analog, blocks, gr, iio

from semcom_blocks import transport
from semcom_blocks.transport import MessageSocket
from semcom_blocks.wire import Message

RATE_HZ = 1_000_000
BUFFER = 1 << 14
N = 2 * BUFFER  # samples that are looked at: across a boundary of buffers
ENOUGH = 8  # of them, so that what is on its way when the clients start has passed
LIMIT_S = 30
#: A source that is stopped within its first second hangs in its destructor: its thread looks
#: once a second whether the stream has begun, for ever.
AT_LEAST_S = 1.5


@pytest.fixture
def air_process(tmp_path):
    """Start an air of these devices; returns a function that asks it for its state."""
    started = []

    def start(*devices):
        path = tmp_path / "air.json"
        # A busy machine may take the flowgraph's processor away for longer than usual.
        config = {"devices": devices, "control": "tcp://127.0.0.1:*", "grace_s": 5.0}
        path.write_text(json.dumps(config))
        command = [sys.executable, "-m", "semcom_blocks.air", "--config", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        endpoint = process.stdout.readline().split("control=")[1].strip()

        def state():
            with (
                zmq.Context() as context,
                transport.open_socket(context, zmq.REQ, connect=endpoint) as raw,
            ):
                messages = MessageSocket(raw)
                messages.send(Message("state"), 1.0)
                return messages.receive(5.0).meta

        return state

    yield start
    for process in started:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()


def sink(address, lo_hz):
    block = iio.fmcomms2_sink_fc32(f"ip:{address}", [True, True], BUFFER, False)
    block.set_len_tag_key("")
    block.set_bandwidth(RATE_HZ)
    block.set_frequency(lo_hz)
    block.set_samplerate(RATE_HZ)
    block.set_attenuation(0, 10.0)
    block.set_filter_params("Auto", "", 0, 0)
    return block


def source(address, lo_hz):
    block = iio.fmcomms2_source_fc32(f"ip:{address}", [True, True], BUFFER)
    block.set_len_tag_key("")
    block.set_frequency(lo_hz)
    block.set_samplerate(RATE_HZ)
    block.set_gain_mode(0, "manual")
    block.set_gain(0, 30)
    block.set_quadrature(True)
    block.set_rfdc(True)
    block.set_bbdc(True)
    block.set_filter_params("Auto", "", 0, 0)
    return block


def peak_hz(samples):
    spectrum = np.abs(np.fft.fft(samples * np.blackman(len(samples))))
    return np.fft.fftfreq(len(samples), 1 / RATE_HZ)[spectrum.argmax()]


def level_dbfs(samples):
    window = np.blackman(len(samples))
    return 20 * np.log10(np.abs(np.fft.fft(samples * window)).max() / window.sum())


@pytest.mark.parametrize("ppm", [0.0, 10.0])
def test_two_radios_in_full_duplex(air_process, address, ppm):
    """Each hears the other's tone, offset by both clocks' errors, and loses nothing."""
    a, b = address(), address()
    state = air_process(
        {"name": "a", "kind": "pluto", "address": a, "clock_ppm": ppm},
        {"name": "b", "kind": "pluto", "address": b, "clock_ppm": -ppm},
    )
    top = gr.top_block("duplex", catch_exceptions=False)
    probes = []
    for here, there, tone_hz, lo_hz in ((a, b, 50e3, 2_400_000_000), (b, a, 30e3, 2_500_000_000)):
        wave = analog.sig_source_c(RATE_HZ, analog.GR_COS_WAVE, tone_hz, 0.5)
        top.connect(wave, sink(here, lo_hz))
        vectors = blocks.stream_to_vector(gr.sizeof_gr_complex, N)
        probes.append(blocks.probe_signal_vc(N))
        top.connect(source(there, lo_hz), vectors, probes[-1])
    top.start()
    time.sleep(AT_LEAST_S)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and any(probe.nitems_read(0) < ENOUGH for probe in probes):
        time.sleep(0.05)
    heard = [np.array(probe.level()) for probe in probes]
    top.stop()
    top.wait()
    assert all(len(samples) == N for samples in heard), state()
    for last, expected_hz in zip(heard, (50e3 + 2 * ppm * 2400, 30e3 - 2 * ppm * 2500)):  # noqa: B905
        assert peak_hz(last) == pytest.approx(expected_hz, abs=RATE_HZ / N)
        # +7 dBm, -6 dB tone, -10 dB, -50 dB, +30 dB; full scale is at -10 dBm
        assert level_dbfs(last) == pytest.approx(-19, abs=1.5)
        # One tone and nothing else: a gap would break its phase.
        spectrum = np.abs(np.fft.fft(last * np.blackman(N))) ** 2
        k = int(spectrum.argmax())
        near = spectrum[np.arange(k - 4, k + 5) % N].sum()
        assert near / spectrum.sum() > 0.999
    for device in state()["devices"].values():
        assert device["counters"]["overflows"] == 0
