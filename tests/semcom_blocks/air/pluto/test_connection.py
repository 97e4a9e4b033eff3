# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's answers byte by byte, over a socket, in virtual time."""

import contextlib
import errno
import time

import numpy as np
import pytest

ADC, DAC, PHY = "iio:device3", "iio:device2", "iio:device0"
RX, TX = f"{PHY} INPUT voltage0", f"{PHY} OUTPUT voltage0"
SELF_LOOP = [{"from": "p0", "to": "p0", "gain_db": -20}]


@pytest.fixture
def client(plutos, connect):
    _, _, (address,) = plutos({}, paths=SELF_LOOP)
    return connect(address)


def test_context_and_version(client):
    length = client.ask("PRINT")
    assert b"cf-ad9361-lpc" in client.file.read(length)
    client.file.readline()
    client.send("VERSION\n")
    assert client.file.readline().split() == [b"0.24.v0.24"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("ZPRINT", -errno.EINVAL),
        ("READ iio:device9 x", -errno.ENODEV),
        (f"READ {PHY} nonsense", -errno.ENOENT),
        (f"READ {PHY} INPUT voltage7 rssi", -errno.ENXIO),
        (f"GETTRIG {ADC}", -errno.ENOENT),
        ("GETTRIG nobody", -errno.ENODEV),
        (f"OPEN {PHY} 64 00000003", -errno.ENODEV),
        (f"OPEN {ADC} 64 00000000", -errno.EINVAL),
        (f"OPEN {ADC} 64 00000004", -errno.EINVAL),
        (f"OPEN {ADC} 64 00000003 CYCLIC", -errno.EINVAL),
        (f"OPEN {ADC} 0 00000003", -errno.EINVAL),
        (f"OPEN {ADC} 2147483647 00000003", -errno.ENOMEM),
        (f"SET {ADC} BUFFERS_COUNT 0", -errno.EINVAL),
        (f"SET {ADC} BUFFERS_COUNT 65", -errno.EINVAL),
        (f"READBUF {ADC} 64", -errno.EBADF),
        (f"WRITEBUF {DAC} 64", -errno.EBADF),
        (f"CLOSE {ADC}", -errno.ENXIO),
    ],
)
def test_refusals_leave_the_connection_usable(client, line, answer):
    assert client.ask(line) == answer
    assert client.ask("TIMEOUT 1000") == 0


def test_attributes_are_quantised_and_refused(client):
    assert client.write(f"{TX} hardwaregain", "-10.3") == 6
    assert client.read(f"{TX} hardwaregain") == "-10.250000 dB"
    assert client.write(f"{TX} hardwaregain", "1") == -errno.EINVAL
    assert client.write(f"{RX} rssi", "1") == -errno.EACCES
    assert client.write(f"{RX} gain_control_mode", "manual") > 0
    assert client.write(f"{RX} hardwaregain", "33.7 dB") > 0
    assert client.read(f"{RX} hardwaregain") == "33.000000 dB"
    assert client.write(f"{PHY} OUTPUT altvoltage0 frequency", "2412345679") > 0
    read = int(client.read(f"{PHY} OUTPUT altvoltage0 frequency"))
    assert abs(read - 2412345679) <= 1
    assert client.write(f"{PHY} OUTPUT altvoltage0 frequency", "5000000000") == -errno.EINVAL
    # One rate for both directions and both cores.
    assert client.write(f"{RX} sampling_frequency", "4000000") > 0
    assert client.read(f"{TX} sampling_frequency") == "4000000"
    assert client.read(f"{ADC} INPUT voltage1 sampling_frequency") == "4000000"
    assert client.write(f"{ADC} INPUT voltage0 sampling_frequency", "500000") == -errno.EINVAL


def tune(client, rate_hz=4_000_000):
    for what, value in (
        (f"{RX} sampling_frequency", rate_hz),
        (f"{RX} gain_control_mode", "manual"),
        (f"{RX} hardwaregain", 5),
        (f"{TX} hardwaregain", 0),
        (f"{PHY} OUTPUT altvoltage0 frequency", 2_400_000_000),
        (f"{PHY} OUTPUT altvoltage1 frequency", 2_400_000_000),
    ):
        assert client.write(what, str(value)) > 0


def ramp_of_tone(n, cycles=64):
    tone = 16384 * np.exp(2j * np.pi * cycles * np.arange(n) / n)
    return np.rint(tone.astype(np.complex64).view(np.float32)).astype("<i2").tobytes()


def spectrum(data):
    samples = np.frombuffer(data, "<i2").astype(np.float32).view(np.complex64)
    return np.abs(np.fft.fft(samples)) / len(samples) / 2047


def test_cyclic_transmission_is_received_at_the_level_of_the_model(client):
    tune(client)
    assert client.ask(f"OPEN {DAC} 4096 00000003 CYCLIC") == 0
    assert client.push(DAC, ramp_of_tone(4096)) == 4 * 4096
    assert client.ask(f"OPEN {ADC} 4096 00000003") == 0
    for _ in range(3):
        mask, data, _ = client.samples(ADC, 4 * 4096)
    assert mask == b"00000003" and len(data) == 4 * 4096
    lines = spectrum(data)
    # +7 dBm, the tone's -6 dB, path, gain; full scale is at -10 dBm
    level_db = 20 * np.log10(lines[64])
    assert lines.argmax() == 64
    assert level_db == pytest.approx(7 - 6.02 - 20 + 5 + 10, abs=0.1)


@pytest.mark.parametrize(("mask", "branch"), [("00000001", 0), ("00000002", 1)])
def test_one_channel_alone(client, mask, branch):
    """Digital loopback brings the very codes back."""
    assert client.write(f"{PHY} DEBUG loopback", "1") > 0
    assert client.ask(f"OPEN {DAC} 1000 00000003 CYCLIC") == 0
    codes = np.arange(-1000, 1000, dtype=np.int16)
    assert client.push(DAC, (codes * 16).astype("<i2").tobytes()) == 4000
    assert client.ask(f"OPEN {ADC} 1000 {mask}") == 0
    for _ in range(2):
        got_mask, data, _ = client.samples(ADC, 2000)
    assert got_mask.decode() == mask
    got = np.frombuffer(data, "<i2")
    own = codes[branch::2]
    start = int(np.flatnonzero(own == got[0])[0])
    assert np.array_equal(got, np.roll(own, -start))


def test_long_reads_come_in_blocks_and_odd_ones_end_with_zero(client):
    assert client.ask(f"OPEN {ADC} 100 00000003") == 0
    client.send(f"READBUF {ADC} 1003\r\n")
    lengths = []
    while True:
        length = client.number()
        lengths.append(length)
        if length <= 0:
            break
        if len(lengths) == 1:
            assert client.file.readline() == b"00000003\n"
        client.file.read(length)
    assert lengths == [400, 400, 200, 0]
    assert client.ask(f"READBUF {ADC} 3") == 0


def test_a_device_opens_once_and_again_after_it_was_left(plutos, connect):
    _, _, (address,) = plutos({})
    first, second = connect(address), connect(address)
    for device in (ADC, DAC):
        assert first.ask(f"OPEN {device} 64 00000003") == 0
        assert first.ask(f"OPEN {device} 64 00000003") == -errno.EBUSY
        assert second.ask(f"CLOSE {device}") == -errno.ENXIO
    assert second.ask(f"OPEN {ADC} 64 00000003") == -errno.EBUSY
    assert second.ask(f"SET {DAC} BUFFERS_COUNT 8") == -errno.EBUSY
    assert first.ask(f"CLOSE {ADC}") == 0
    assert second.ask(f"OPEN {ADC} 64 00000003") == 0
    first.sock.close()
    first.file.close()  # gone without a word
    assert second.ask(f"OPEN {DAC} 64 00000003") == 0


def test_time_out_is_the_connection_s_own_or_the_last_that_was_set(plutos, connect):
    """Nothing drains a receiver, so virtual time stands and the writer waits in vain."""
    _, _, (address,) = plutos({})
    context, reader, writer = (connect(address) for _ in range(3))
    assert reader.ask(f"OPEN {ADC} 64 00000003") == 0
    assert context.ask("TIMEOUT 150") == 0
    assert writer.ask(f"OPEN {DAC} 65536 00000003") == 0
    block = bytes(4 * 65536)
    answers = [writer.push(DAC, block) for _ in range(6)]
    assert answers[0] == len(block) and answers[-1] == -errno.ETIMEDOUT
    # Its own counts from now on.
    assert writer.ask("TIMEOUT 10") == 0
    assert context.ask("TIMEOUT 4000") == 0
    assert writer.push(DAC, block) == -errno.ETIMEDOUT


def test_direct_registers_tell_of_underflow_until_cleared(client):
    tune(client)
    assert client.ask(f"OPEN {DAC} 1024 00000003") == 0
    assert client.push(DAC, bytes(4096)) == 4096
    assert client.ask(f"OPEN {ADC} 4096 00000003") == 0
    client.samples(ADC, 4 * 4096)
    register = f"{DAC} DEBUG direct_reg_access"
    assert client.write(register, "0x80000088") > 0
    assert client.read(register) == "0x1"
    assert client.write(register, "0x80000088 0x4") > 0
    assert client.read(register) == "0x1"
    assert client.write(register, "0x80000088 0x1") > 0
    assert client.read(register) == "0x0"
    assert client.write(register, "1 2 3") == -errno.EINVAL
    assert client.write(register, "0x100000000") == -errno.EINVAL


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 5000,
        b"A" * 1024,
        b"WRITE iio:device0 xo_correction 2000000000\r\n",
    ],
    ids=["zeros", "no end", "huge value"],
)
def test_without_an_end_or_without_measure_the_client_is_cut_off(plutos, connect, garbage):
    _, _, (address,) = plutos({})
    rude, polite = connect(address), connect(address)
    rude.sock.sendall(garbage)
    if garbage.startswith(b"WRITE"):
        assert rude.number() == -errno.E2BIG
    assert rude.ended()
    assert polite.ask("TIMEOUT 1000") == 0


@pytest.mark.parametrize("garbage", [b"\xff\xfe\n", b"\x1c\n", b"OPEN\n", b"%n%s ${x}\n"])
def test_nonsense_is_answered_and_forgotten(client, garbage):
    client.sock.sendall(b"\r\n" + garbage)
    assert client.number() == -errno.EINVAL
    assert client.ask("TIMEOUT 1000") == 0


def test_too_many_connections_are_closed_at_once(plutos, connect):
    _, _, (address,) = plutos({})
    many = [connect(address) for _ in range(64)]
    assert many[-1].ask("TIMEOUT 1000") == 0
    assert connect(address).ended()
    many[0].send("EXIT\n")
    assert many[0].ended()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with contextlib.suppress(ValueError, ConnectionError):  # till its thread has ended as well
            assert connect(address).ask("TIMEOUT 1000") == 0
            return
    pytest.fail("no connection although one was given back")
