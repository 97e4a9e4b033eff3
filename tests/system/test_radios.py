# SPDX-License-Identifier: GPL-3.0-or-later
"""Plutos and USRPs: real drivers on emulated radios, started by the demo itself."""

import base64
import random
import re

import pytest
import zmq

from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message
from tests.system.conftest import report_of, until

# Long enough on the air to lose a radio meanwhile, and not to be packed shorter.
LONG_PROMPT = base64.b64encode(random.Random(5).randbytes(30_000)).decode()
RECOVERY_MAX_S = 10


class Air:
    """The control socket of the air whose log is in ``folder``."""

    def __init__(self, folder):
        found = until(lambda: re.search(r"control=(\S+)", self._log(folder)))
        self._endpoint = found[1]

    @staticmethod
    def _log(folder):
        path = folder / "air.log"
        return path.read_text() if path.exists() else ""

    def ask(self, kind, **meta):
        with zmq.Context() as context:
            socket = MessageSocket(open_socket(context, zmq.REQ, connect=self._endpoint))
            with socket:
                assert socket.send(Message(kind, meta), 5)
                reply = socket.receive(10)
        assert reply is not None
        assert reply.kind != "error", reply.meta
        return reply.meta

    def streams(self, device, side):
        return self.ask("state")["devices"][device][side][0]["streaming"]


def profiles(folder, kind):
    """Calibration profiles that know the virtual crystals."""
    for name, error_ppm in (("a", 10.0), ("b", -10.0)):
        head = f'schema = 1\nserial = "virtual-{name}"\nkind = "{kind}"\n'
        (folder / f"virtual-{name}.toml").write_text(
            f"{head}[frequency]\nerror_ppm = {error_ppm}\n", encoding="utf-8"
        )
    return folder


@pytest.mark.parametrize("kind", ["pluto", "usrp"])
def test_two_free_running_radios_do_what_the_simulated_ones_do(semcom, service, tmp_path, kind):
    out = tmp_path / "out"
    given = ["--seed", 2, "--out", out, "--host", service]
    calibrated = kind == "usrp"
    if calibrated:  # profiles take the crystals' error out of the carriers, not of the rates
        given += ["--profile", profiles(tmp_path, kind), "--lo-offset-hz", 60e3]
    code, text, err = semcom("demo", "--radio", kind, *given)
    assert (code, err) == (0, "")
    assert "exactly as sent" in text
    assert "0 overflows, 0 underflows, 0 late, 0 restarts" in text
    report = report_of(out)
    link, quality = report["link"], report["quality"]
    assert report["prompt"]["sent"] == report["prompt"]["received"]
    assert link["snr_db_est"] == pytest.approx(20, abs=0.5)
    # 10 ppm fast here, 10 ppm slow there, at 2.45 GHz.
    assert link["cfo_hz_est"] == pytest.approx(0 if calibrated else 49_000, abs=50)
    assert link["sro_ppm_est"] == pytest.approx(-20, abs=1)
    assert link["frames_received"] == link["frames_sent"] - report["prompt"]["retransmissions"]
    assert quality["psnr_db"] > quality["ideal_psnr_db"] - 0.5
    assert link["devices"]["rx"]["rx_samples"] > 100_000
    assert link["devices"]["tx"]["clipped"] < 100


@pytest.mark.parametrize("device", ["a", "b"])
def test_a_radio_that_is_pulled_out_and_put_back(start, service, tmp_path, device):
    """The sender's or the receiver's: nothing hangs, and the job arrives whole."""
    out, logs = tmp_path / "out", tmp_path / "logs"
    command = start(
        "demo", "--radio", "pluto", "--prompt", LONG_PROMPT, "--sample-rate-hz", 600e3,
        "--seed", 1, "--out", out, "--log-dir", logs, "--host", service, SEMCOM_LOG="INFO",
    )  # fmt: skip
    air = Air(logs)
    until(lambda: "stage: air" in command.log.read_text())
    until(lambda: air.streams("a", "tx") and air.streams("b", "rx"))
    role = {"a": "tx", "b": "rx"}[device]
    # One that is lost before it was ever up cannot be had: that ends the command.
    until(lambda: f"radio {role} is up" in command.log.read_text())
    air.ask("fault", device=device, fault="unplug", seconds=0)
    until(lambda: f"radio {role} is lost" in command.log.read_text())
    air.ask("fault", device=device, fault="reconnect", seconds=0)
    code, _, err = command.end()
    assert code == 0, err
    assert "the job starts over as number 2" in err
    report = report_of(out)
    assert report["prompt"]["received"] == LONG_PROMPT
    assert report["link"]["devices"][role]["restarts"] == 1
    assert report["link"]["symbols_erased"] == 0
    assert report["quality"]["psnr_db"] > report["quality"]["ideal_psnr_db"] - 0.5
    away_s = float(re.search(rf"radio {role} is back after ([0-9.]+) s", err)[1])
    assert away_s < RECOVERY_MAX_S


BAD = {
    "nobody there": (["--radio", "pluto:ip:127.64.0.9"], "cannot be opened: Connection refused"),
    "no such usrp": (["--radio", "usrp:addr=127.64.0.9"], "no such device found"),
    "nonsense": (["--radio", "pluto:nowhere"], "pluto:nowhere cannot be opened"),
}


@pytest.mark.parametrize("name", BAD)
def test_radios_that_cannot_be_had_are_one_line(semcom, service, name):
    arguments, words = BAD[name]
    code, _, err = semcom("tx", *arguments, "--host", service)
    assert code == 2
    assert err.startswith("semcom: error: ")
    assert words in err
    assert err.count("\n") == 1
