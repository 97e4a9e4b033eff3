# SPDX-License-Identifier: GPL-3.0-or-later
"""``tx --attach`` and ``rx --attach`` use radios that run already, as flowgraphs do."""

import json

import numpy as np
import pytest
import zmq

from host.config import load_run
from host.pipeline.processes import start_radio
from host.supervise import Supervisor, free_ports
from semcom_blocks.transport import MessageSocket, open_socket
from tests.system.conftest import report_of

PROMPT = "a cat, sent through radios that nobody here started"


@pytest.fixture
def radios(tmp_path):
    """Two simulated radios on their own; gives the ports of source, sink and picture."""
    source, sink, feedback, samples, picture = free_ports(5)
    network = {
        "network.source_port": source,
        "network.sink_port": sink,
        "network.feedback_port": feedback,
        "network.samples_port": samples,
    }
    run = load_run(None, {**network, "channel.snr_db": 15.0})
    with Supervisor(tmp_path) as crew:
        for role in ("rx", "tx"):
            folder = tmp_path / role
            folder.mkdir()
            start_radio(crew, role, run, folder)
        yield source, sink, picture
        crew.check()  # a command that attached leaves them running


def test_sender_and_receiver_attach_and_the_picture_is_shown(
    radios, start, semcom, service, tmp_path
):
    source, sink, port = radios
    with zmq.Context() as context:
        bound = open_socket(context, zmq.PULL, bind=f"tcp://127.0.0.1:{port}")
        with MessageSocket(bound) as view:
            rx = start(
                "rx", "--attach", "--sink-port", sink, "--picture-port", port,
                "--out", tmp_path / "got", "--host", service,
            )  # fmt: skip
            code, text, err = semcom(
                "tx", "chelsea", "--attach", "--snr-db", 15, "--prompt", PROMPT,
                "--source-port", source, "--host", service, "--json",
            )  # fmt: skip
            assert (code, err) == (0, "")
            assert json.loads(text)["prompt"]["delivered"] is True
            code, _, err = rx.end()
            assert (code, err) == (0, "")
            shown = view.receive(5.0)
    report = report_of(tmp_path / "got")
    assert report["prompt"]["received"] == PROMPT
    assert shown.kind == "picture"
    assert shown.meta == {"job_id": report["job_id"], "prompt": PROMPT}
    image = shown.array("image", np.uint8, 3)
    assert image.shape == (report["image"]["height"], report["image"]["width"], 3)


def test_a_job_is_not_lost_where_nobody_shows_the_picture(radios, start, semcom, service, tmp_path):
    source, sink, port = radios
    out = tmp_path / "got"
    code, _, err = semcom(
        "demo", "chelsea", "--attach", "--prompt", PROMPT, "--source-port", source,
        "--sink-port", sink, "--picture-port", port, "--out", out, "--host", service,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert report_of(out)["prompt"]["received"] == PROMPT


@pytest.mark.parametrize("command", ["tx", "rx"])
def test_a_recording_is_the_flowgraphs_own(semcom, command, tmp_path):
    code, _, err = semcom(command, "--attach", "--record", tmp_path / "a")
    assert code == 2
    assert err.startswith("semcom: error: --record is given with --attach, permitted")
    assert err.count("\n") == 1
