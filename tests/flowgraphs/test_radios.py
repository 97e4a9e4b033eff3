# SPDX-License-Identifier: GPL-3.0-or-later
"""The flowgraphs of Pluto and USRP, compiled by ``grcc``, on virtual radios with real drivers.

Their windows are drawn on a virtual screen; what they look like is in docs/.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import zmq

from semcom_blocks import transport
from semcom_blocks.wire import Message
from tests.flowgraphs.conftest import ROOT
from tests.flowgraphs.job import free_endpoint, open_host, running

PROMPT = "Drei weiße Boote — трос, 船 — before a café. " * 8  # several packets
#: A machine with other work takes long to import GNU Radio and to draw windows.
TIMEOUT_S = 90.0
#: Crystals: the sender's is as much fast as the receiver's is slow.
PPM = 10.0
CARRIER_HZ = 2.45e9
#: No faster than that, or the air leaves nothing of the machine to the windows.
SPEED = 1.0
#: How long the air waits for a transmitter that is late, as it is on a machine with other work.
GRACE_S = 5.0
PORTS = {"pluto": (30431,), "usrp": (49601, 49600)}


def free_addresses(kind):
    """Two neighbouring loopback addresses on which the devices' ports are free."""
    draw = random.SystemRandom()
    while True:
        base = f"127.{draw.randint(64, 126)}.{draw.randint(0, 255)}."
        host = draw.randint(1, 253)
        addresses = [f"{base}{host}", f"{base}{host + 1}"]
        try:
            for address in addresses:
                for port in PORTS[kind]:
                    with socket.socket() as probe:
                        probe.bind((address, port))
        except OSError:
            continue
        return addresses


@contextmanager
def air(kind, folder):
    """A virtual air with two radios; gives their addresses."""
    addresses = free_addresses(kind)
    devices = [
        {"name": name, "kind": kind, "address": address, "serial": f"F{name}", "clock_ppm": ppm}
        for name, address, ppm in zip("ab", addresses, (PPM, -PPM), strict=True)
    ]
    ways = [{"from": a, "to": b, "gain_db": -60.0} for a, b in ("ab", "ba")]
    document = {"clock": "virtual", "speed": SPEED, "grace_s": GRACE_S, "seed": 5}
    document |= {"devices": devices, "paths": ways}
    config = folder / "air.json"
    config.write_text(json.dumps(document), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "semcom_blocks.air", "--config", str(config)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert "air ready" in process.stdout.readline()
        yield addresses
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def screen(companion):
    """Environment of programs that draw on a virtual screen."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb does not start"
        yield {**companion, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
    finally:
        server.terminate()
        server.wait(10)


def show(endpoint):
    """Hand a picture to a flowgraph, as the host does."""
    with zmq.Context() as context:
        pushing = transport.open_socket(context, zmq.PUSH, connect=endpoint)
        picture = transport.MessageSocket(pushing)
        image = np.full((48, 64, 3), 200, np.uint8)
        message = Message("picture", {"job_id": 1, "prompt": PROMPT}, {"image": image})
        taken = picture.send(message, TIMEOUT_S)
        picture.close(linger_s=1.0)
    return taken


DEVICES = {
    "pluto": lambda address: f"--uri=ip:{address}",
    "usrp": lambda address: f"--args=addr={address},master_clock_rate=1e6",
}
TX_GAIN = {"pluto": "-10", "usrp": "70"}


@pytest.mark.parametrize("kind", ["pluto", "usrp"])
def test_a_sender_and_a_receiver_carry_a_job(screen, compiled, tmp_path, kind):
    source, sink, feedback, picture = (free_endpoint() for _ in range(4))
    with air(kind, tmp_path) as (first, second), ExitStack() as stack:
        host = stack.enter_context(open_host(source, sink, TIMEOUT_S))
        receiver = stack.enter_context(
            running(
                screen,
                compiled / f"rx_{kind}.py",
                DEVICES[kind](second),
                f"--sink-endpoint={sink}",
                f"--feedback-endpoint={feedback}",
                f"--picture-endpoint={picture}",
            )
        )
        host.wait_receiver()
        sender = stack.enter_context(
            running(
                screen,
                compiled / f"tx_{kind}.py",
                DEVICES[kind](first),
                f"--tx-gain-db={TX_GAIN[kind]}",
                f"--source-endpoint={source}",
                f"--feedback-endpoint={feedback}",
            )
        )
        carried = host.carry(7, PROMPT)
        assert show(picture)
        assert receiver.poll() is None
        assert sender.poll() is None
    assert carried.prompt == PROMPT
    assert carried.delivered is True
    assert carried.missing == 0
    assert carried.snr_db > 25
    assert carried.cfo_hz == pytest.approx(2e-6 * PPM * CARRIER_HZ, abs=30)


def test_two_transceivers_carry_jobs_both_ways_at_once(screen, compiled, tmp_path):
    """Each radio's transmitter carries data and acknowledgements; there is no other way back."""
    carriers = ("--tx-freq-hz=2.45e9", "--rx-freq-hz=2.47e9")
    crossed = ("--tx-freq-hz=2.47e9", "--rx-freq-hz=2.45e9")
    ends = [(free_endpoint(), free_endpoint()) for _ in range(2)]
    (a_source, a_sink), (b_source, b_sink) = ends
    prompts = (PROMPT + "A", PROMPT + "B")
    with air("pluto", tmp_path) as addresses, ExitStack() as stack:
        there_host = stack.enter_context(open_host(a_source, b_sink, TIMEOUT_S))
        back_host = stack.enter_context(open_host(b_source, a_sink, TIMEOUT_S))
        stations = zip(addresses, (carriers, crossed), ends, strict=True)
        for address, tuning, (source, sink) in stations:
            stack.enter_context(
                running(
                    screen,
                    compiled / "transceiver_pluto.py",
                    f"--uri=ip:{address}",
                    "--tx-gain-db=-10",
                    *tuning,
                    f"--source-endpoint={source}",
                    f"--sink-endpoint={sink}",
                    f"--picture-endpoint={free_endpoint()}",
                )
            )
        there_host.wait_receiver()
        back_host.wait_receiver()
        with ThreadPoolExecutor(2) as pool:
            # The same number at both ends: a job must not be taken for the other side's.
            sent = pool.submit(there_host.carry, 9, prompts[0])
            answered = pool.submit(back_host.carry, 9, prompts[1])
            there, back = sent.result(), answered.result()
    assert (there.prompt, back.prompt) == prompts
    assert there.delivered is back.delivered is True
    assert there.missing == back.missing == 0
    assert there.cfo_hz == pytest.approx(2e-6 * PPM * 2.45e9, abs=30)
    assert back.cfo_hz == pytest.approx(-2e-6 * PPM * 2.47e9, abs=30)
