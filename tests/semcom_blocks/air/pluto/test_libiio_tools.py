# SPDX-License-Identifier: GPL-3.0-or-later
"""libiio's own command-line tools, unmodified, as packaged."""

import signal
import subprocess
import time

import numpy as np
import pytest

LIMIT_S = 20
ADC, DAC = "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc"


def tool(name, address, *arguments, stdin=None):
    command = [name, "-u", f"ip:{address}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=LIMIT_S, check=False)


def test_iio_info_finds_everything_and_complains_of_nothing(plutos):
    _, _, (address,) = plutos({"serial": "1044-virtual"})
    done = tool("iio_info", address)
    text = done.stdout.decode()
    assert done.returncode == 0 and not done.stderr
    assert "hw_serial: 1044-virtual" in text
    assert "IIO context has 3 devices" in text
    assert f"{ADC} (buffer capable)" in text and f"{DAC} (buffer capable)" in text
    assert "ERROR" not in text


def test_iio_attr_reads_writes_and_is_refused(plutos):
    _, _, (address,) = plutos({})
    gain = ("-o", "-c", "ad9361-phy", "voltage0", "hardwaregain")
    assert tool("iio_attr", address, *gain).stdout.strip() == b"-10.000000 dB"
    assert tool("iio_attr", address, *gain, "-7.3").stdout.strip() == b"-7.250000 dB"
    refused = tool("iio_attr", address, *gain, "3")
    assert refused.returncode == 1 and b"Invalid argument (22)" in refused.stdout
    assert tool("iio_attr", address, "-d", "ad9361-phy", "xo_correction").stdout == b"40000000\n"
    looped = tool("iio_attr", address, "-D", "ad9361-phy", "loopback", "1")
    assert looped.stdout.strip() == b"1"


def test_iio_readdev_and_iio_writedev_carry_samples_exactly(plutos, tmp_path):
    """Two radios at a time, each with a writer and a reader, in digital loopback."""
    # Into files: a pipe that nobody drains would hold virtual time, for the other one as well.
    files = [tmp_path / "p0", tmp_path / "p1"]
    _, devices, addresses = plutos({}, {})
    writers, readers, codes = [], [], []
    for seed, address in enumerate(addresses):
        rng = np.random.default_rng(seed)
        codes.append(rng.integers(-2047, 2048, 2 * 4096, dtype=np.int16))
        tool("iio_attr", address, "-D", "ad9361-phy", "loopback", "1")
        command = ["iio_writedev", "-u", f"ip:{address}", "-c", "-b", "4096", DAC]
        writer = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        writer.stdin.write((codes[-1] * 16).astype("<i2").tobytes())
        writer.stdin.close()
        writers.append(writer)
    try:
        end = time.monotonic() + LIMIT_S
        while not all(device.tx[0].streaming() for device in devices):
            assert time.monotonic() < end
            time.sleep(0.01)
        for address, file in zip(addresses, files, strict=True):
            command = ["iio_readdev", "-u", f"ip:{address}", "-b", "8192", "-s", "65536", ADC]
            with file.open("wb") as out:
                readers.append(subprocess.Popen(command, stdout=out))
        for sent, reader, file in zip(codes, readers, files, strict=True):
            assert reader.wait(LIMIT_S) == 0
            got = np.fromfile(file, "<i2")
            assert len(got) == 2 * 65536
            last = got[-2 * 4096 :]
            start = int(np.flatnonzero(np.all(sent.reshape(-1, 2) == last[:2], axis=1))[0])
            assert np.array_equal(last, np.roll(sent, -2 * start))
    finally:
        for writer in writers:
            writer.send_signal(signal.SIGINT)
            writer.wait(LIMIT_S)


def test_iio_readdev_of_one_channel(plutos):
    _, _, (address,) = plutos({})
    done = tool("iio_readdev", address, "-b", "1024", "-s", "4096", ADC, "voltage1")
    assert done.returncode == 0 and len(done.stdout) == 2 * 4096


def test_iio_stresstest_opens_and_reads_with_many_threads(plutos):
    _, (pluto,), (address,) = plutos({})
    command = ["iio_stresstest", "-u", f"ip:{address}", "-b", "1024", ADC]
    stress = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with pytest.raises(subprocess.TimeoutExpired):  # it never ends by itself
        stress.wait(2)
    stress.send_signal(signal.SIGINT)
    text = stress.communicate(timeout=LIMIT_S)[0].decode()
    assert "refills" in text and "failed" not in text
    assert pluto.counters()["clients"] > 20
    assert tool("iio_attr", address, "-d", "ad9361-phy", "xo_correction").returncode == 0


def test_refused_while_open_and_served_afterwards(plutos, connect):
    _, _, (address,) = plutos({})
    client = connect(address)
    assert client.ask("OPEN iio:device3 64 00000003") == 0
    busy = tool("iio_readdev", address, "-b", "64", "-s", "64", ADC)
    assert busy.returncode == 1 and b"Device or resource busy" in busy.stderr
    client.close()
    assert tool("iio_readdev", address, "-b", "64", "-s", "64", ADC).returncode == 0
