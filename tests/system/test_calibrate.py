# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom calibrate`` through the real drivers on virtual radios whose errors are known."""

import json
import secrets
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import zmq

from calibration import profile
from host.cli.__main__ import main
from host.cli.calibrate import now
from host.evaluate.calibration import air, draw, met, one
from host.supervise import Supervisor, radio_python
from host.supervise.air import AirControl, start_air
from host.supervise.environment import child_environment
from host.supervise.ports import free_ports
from semcom_blocks.errors import RadioError
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message

TRUTH = draw((10.0, -10.0), seed=7)


@contextmanager
def running(kind, folder, **changes):
    """An air of two such radios; the second is the reference."""
    middle = f"127.{64 + secrets.randbelow(128)}.{secrets.randbelow(256)}"
    addresses = (f"{middle}.1", f"{middle}.2")
    document = air(kind, TRUTH, 1, addresses) | {"control": "tcp://127.0.0.1:*"} | changes
    with Supervisor(folder) as crew:
        child, control = start_air(crew, document, folder)
        prefix = "pluto:ip:" if kind == "pluto" else "usrp:addr="
        specs = [prefix + address for address in addresses]
        yield SimpleNamespace(crew=crew, child=child, control=control, specs=specs)


@pytest.fixture(scope="module")
def plutos(tmp_path_factory):
    with running("pluto", tmp_path_factory.mktemp("plutos")) as found:
        yield found


@pytest.fixture(scope="module")
def usrps(tmp_path_factory):
    with running("usrp", tmp_path_factory.mktemp("usrps")) as found:
        yield found


def semcom(capsys, *words):
    """Exit code, stdout, stderr."""
    code = main(["calibrate", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("kind", ["pluto", "usrp"])
def test_known_errors_are_found_within_the_goals(kind):
    result = one(kind, (-20.0, 3.0), seed=5)
    assert met(result["errors"]), result["errors"]
    assert result["errors"]["drift_ppm"] < 0.5


def test_profile_table_and_plot(plutos, tmp_path, capsys):
    radio, reference = plutos.specs
    code, out, _ = semcom(capsys, radio, "--reference", reference, "--profiles", tmp_path)
    assert code == 0
    assert "frequency error" in out and "RADIO.toml" in out
    assert (tmp_path / "RADIO.png").read_bytes().startswith(b"\x89PNG")
    written = profile.read(tmp_path / "RADIO.toml")["sections"]
    assert set(written) == set(profile.FIELDS)
    assert written["frequency"]["error_ppm"] == pytest.approx(20.0, abs=0.5)
    assert written["frequency"]["xo_correction"] == pytest.approx(40_000_800, abs=20)
    delay = TRUTH["delay_s"] * written["delay"]["sample_rate_hz"]
    assert written["delay"]["samples"] == pytest.approx(delay, abs=0.1)


def test_one_step_keeps_the_rest_of_the_profile(plutos, tmp_path, capsys):
    radio, reference = plutos.specs
    path = tmp_path / "RADIO.toml"
    kept = {"delay": {"samples": 1.5, "sample_rate_hz": 1e6}}
    profile.update(path, "RADIO", "pluto", kept, now())
    words = (radio, "--reference", reference, "--only", "frequency", "--profiles", tmp_path)
    code, out, _ = semcom(capsys, *words, "--json")
    assert code == 0
    assert json.loads(out)["clocks"]["error_ppm"] == pytest.approx(20.0, abs=0.5)
    assert set(profile.read(path)["sections"]) == {"delay", "frequency", "rate"}
    assert profile.read(path)["sections"]["delay"] == kept["delay"]


def test_without_reference_clocks_are_left_out(plutos, tmp_path, capsys):
    code, _, err = semcom(capsys, plutos.specs[0], "--only", "noise", "--profiles", tmp_path)
    assert code == 0 and err == ""
    assert set(profile.read(tmp_path / "RADIO.toml")["sections"]) == {"noise"}
    code, _, err = semcom(capsys, plutos.specs[0], "--only", "rate", "--profiles", tmp_path)
    assert code == 2 and "second radio" in err


def test_radio_that_does_not_hear_itself_is_measured_with_the_reference(tmp_path, capsys):
    paths = [{"from": "reference", "to": "radio", "gain_db": -50.0}]
    with running("pluto", tmp_path, paths=paths) as found:
        radio, reference = found.specs
        code, out, err = semcom(
            capsys, radio, "--reference", reference, "--json", "--profiles", tmp_path
        )
        assert code == 0
        assert "does not hear itself" in err
        sections = json.loads(out)["profile"]
        assert "iq.rx" in sections and "iq.tx" not in sections and "delay" not in sections
        assert "tx_db" not in sections["gain"] and set(sections["dc"]) == {"rx_i", "rx_q"}
        words = (radio, "--reference", reference, "--only", "delay", "--profiles", tmp_path)
        code, _, err = semcom(capsys, *words)
        assert code == 2 and "does not hear its own transmitter" in err


def refused(capsys, *words):
    """The one line of a refusal."""
    code, out, err = semcom(capsys, *words)
    lines = err.strip().splitlines()
    assert (code, out) == (2, "")
    assert len(lines) == 1 and lines[0].startswith("semcom: error: ")
    return lines[0]


def test_nothing_is_heard(plutos, tmp_path, capsys):
    line = refused(capsys, plutos.specs[1], "--profiles", tmp_path)  # no path leads there
    assert "no signal found" in line and "SNR too low" in line
    assert not list(tmp_path.iterdir())


def test_bad_words(plutos, tmp_path, capsys):
    radio = plutos.specs[0]
    where = ("--profiles", tmp_path)
    assert "permitted: pluto:URI or usrp:ARGS" in refused(capsys, "hackrf:1", *where)
    assert "permitted: ip:HOST" in refused(capsys, "pluto:foo", *where)
    assert "no Pluto there" in refused(capsys, "pluto:ip:127.64.0.250", *where)
    assert "another radio" in refused(capsys, radio, "--reference", radio, *where)
    assert "permitted: frequency, rate" in refused(capsys, radio, "--only", "gian", *where)
    line = refused(capsys, radio, "--center-freq-hz", "5.9e9", *where)
    assert "permitted: 325000000.0 to 3800000000.0" in line
    assert "permitted: 521000.0 to" in refused(capsys, radio, "--rate-hz", "2e5", *where)
    assert "cannot be written" in refused(capsys, radio, "--profiles", "/proc/none")


def test_pluto_of_another_program_is_busy(plutos, tmp_path, capsys):
    from calibration.drivers.pluto import Pluto

    other = Pluto(plutos.specs[0].removeprefix("pluto:"))
    try:
        other._start_receiving(1024)
        other._sdr.rx()
        assert "busy" in refused(capsys, plutos.specs[0], "--profiles", tmp_path)
    finally:
        other.close()


def test_unplugged_radio_is_one_line(tmp_path, capsys):
    from calibration.drivers.pluto import Pluto
    from calibration.waveforms import single

    with running("pluto", tmp_path) as found:
        radio = Pluto(found.specs[0].removeprefix("pluto:"))
        radio.tune(2.5e6, 2.45e9, 2.45e9)
        radio.transmit(single())
        radio.receive(1 << 14)
        with AirControl(found.control) as control:
            control.fault("radio", "unplug", 60.0)
        with pytest.raises(RadioError, match="pluto:ip:"):
            radio.receive(1 << 14)
        radio.close()
        with pytest.raises(RadioError, match="closed"):
            radio.receive(1 << 14)


@contextmanager
def server(usrps, folder):
    """A radio-side process, asked by hand."""
    endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    args = usrps.specs[0].removeprefix("usrp:")
    argv = [radio_python(), "-m", "semcom_blocks.radio.uhd_server"]
    context = zmq.Context()
    with Supervisor(folder) as crew:
        crew.start("server", [*argv, "--args", args, "--endpoint", endpoint], child_environment())
        with MessageSocket(open_socket(context, zmq.DEALER, connect=endpoint)) as socket:
            yield socket
    context.term()


def test_server_refuses_what_it_does_not_know_and_goes_on(usrps, tmp_path):
    with server(usrps, tmp_path) as socket:

        def ask(kind, **meta):
            assert socket.send(Message(kind, meta), 20.0)
            return socket.receive(20.0)

        assert ask("receive", count=100).meta["text"].startswith("not tuned")
        assert ask("reboot").meta["text"] == "unknown request 'reboot'"
        assert ask("tune", rate_hz="fast").kind == "error"
        assert ask("transmit").meta["text"] == "transmit: array waveform is missing"
        assert ask("tune", rate_hz=1e6, tx_lo_hz=1e9, rx_lo_hz=1e9, id=3).meta["id"] == 3
        assert ask("receive", count=1 << 30).meta["name"] == "ConfigError"
        assert ask("receive", count=1000).array("samples", "complex64", 1).shape == (1000,)


def test_usrp_errors_are_one_line(usrps, tmp_path, capsys):
    where = ("--profiles", tmp_path)
    assert "no USRP at" in refused(capsys, "usrp:addr=127.64.0.251", *where)
    line = refused(capsys, usrps.specs[0], "--center-freq-hz", "9e9", *where)
    assert "permitted: 7" in line
    with server(usrps, tmp_path) as socket:
        socket.send(Message("describe"), 20.0)
        assert socket.receive(20.0).kind == "described"
        assert "busy" in refused(capsys, usrps.specs[0], *where)


def test_a_result_beyond_a_goal_is_not_met():
    good = {"frequency_ppm": 0.4, "rate_ppm": 0.0, "delay_samples": 0.0, "image_rx_dbc": -41.0}
    assert met(good)
    for name, value in (("frequency_ppm", 0.6), ("delay_samples", 0.2), ("image_rx_dbc", -39.0)):
        assert not met(good | {name: value})
