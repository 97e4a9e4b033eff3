# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from the host to a window: what is shown, and what is refused."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import zmq

from semcom_blocks import transport
from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.picture_source import PictureSource
from semcom_blocks.gr.picture_view import PictureView
from semcom_blocks.wire import Message
from tests.semcom_blocks.gr.bench import Bench, send, until

ROOT = Path(__file__).resolve().parents[3]
ABOUT = {"job_id": 3, "prompt": "a small flag"}


def flag(height=4, width=6):
    """Red on the left, blue on the right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = 255
    image[:, width // 2 :, 2] = 255
    return image


@pytest.fixture
def pushing():
    """A running Picture Source, what came out of it, and a socket to it."""
    bench = Bench()
    source = PictureSource("tcp://127.0.0.1:*")
    outcome = bench.collect(source, "picture")
    context = zmq.Context()
    endpoint = source._socket.endpoint
    socket = transport.open_socket(context, zmq.PUSH, connect=endpoint)
    with bench, transport.MessageSocket(socket) as messages:
        yield source, outcome, messages
    context.term()


def test_a_picture_comes_out_as_it_was(pushing):
    _, outcome, messages = pushing
    assert messages.send(Message("picture", ABOUT, {"image": flag()}), 5.0)
    until(lambda: outcome.pdus)
    meta, pixels = outcome.pdus[0]
    assert {key: meta[key] for key in ("width", "height", "prompt", "job_id")} == {
        "width": 6,
        "height": 4,
        **ABOUT,
    }
    np.testing.assert_array_equal(pixels.reshape(4, 6, 3), flag())


@pytest.mark.parametrize(
    "message",
    [
        Message("ack", {}, {"data": np.zeros(3, np.uint8)}),
        Message("picture", ABOUT, {}),
        Message("picture", {"job_id": 3}, {"image": flag()}),
        Message("picture", {**ABOUT, "prompt": 5}, {"image": flag()}),
        Message("picture", ABOUT, {"image": flag()[:, :, :2]}),
        Message("picture", ABOUT, {"image": flag()[:0]}),
        Message("picture", ABOUT, {"image": flag().astype(np.float32)}),
    ],
    ids=["kind", "image", "prompt", "text", "colours", "empty", "type"],
)
def test_what_is_no_picture_is_counted_and_the_next_one_comes(pushing, message):
    source, outcome, messages = pushing
    assert messages.send(message, 5.0)
    until(lambda: source._socket.refused == 1)
    assert outcome.pdus == []
    assert messages.send(Message("picture", ABOUT, {"image": flag()}), 5.0)
    until(lambda: outcome.pdus)


def test_an_address_beyond_loopback_is_refused_unless_asked_for():
    with pytest.raises(ConfigError, match="loopback"):
        PictureSource("tcp://0.0.0.0:*")


@pytest.mark.parametrize("change", [{"width": 5}, {"height": 0}, {"width": -6, "height": -4}])
def test_a_view_refuses_a_picture_of_another_size(change):
    bench, view = Bench(), PictureView()
    bench.alone(view, "picture")
    with bench:
        send(view, "picture", {"width": 6, "height": 4, **ABOUT, **change}, flag().reshape(-1))
        until(lambda: view.refused == 1)


WINDOW = """
    import sys
    import time
    import numpy as np
    from PyQt5 import QtWidgets
    from gnuradio import gr
    from semcom_blocks.gr.picture_source import PictureSource
    from semcom_blocks.gr.picture_view import PictureView
    from semcom_blocks.gr import pdu
    import pmt

    app = QtWidgets.QApplication(sys.argv)
    source, view = PictureSource("tcp://127.0.0.1:*"), PictureView("Title")
    top = gr.top_block("window", catch_exceptions=False)
    top.msg_connect(source, "picture", view, "picture")
    widget = view.widget()
    assert widget is view.widget()
    widget.resize(400, 400)
    top.start()
    image = np.zeros((4, 6, 3), np.uint8)
    image[:, :3, 0] = 255
    image[:, 3:, 2] = 255
    meta = {"width": 6, "height": 4, "prompt": "<b>x</b>" * 100, "job_id": 1}
    view.to_basic_block()._post(pmt.intern("picture"), pdu.make(meta, image.reshape(-1)))

    def colour(x):
        shown = widget.grab().toImage()
        return shown.pixelColor(x, shown.height() // 2).getRgb()[:3]

    end = time.monotonic() + 20
    while colour(100) != (255, 0, 0) and time.monotonic() < end:
        app.processEvents()
        time.sleep(0.01)
    labels = [label.text()[:8] for label in widget.findChildren(QtWidgets.QLabel)]
    print(colour(100), colour(300), labels)
    top.stop()
    top.wait()
"""


def test_a_window_shows_the_picture_and_the_prompt_as_plain_text():
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WINDOW)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "(255, 0, 0) (0, 0, 255) ['Title', '<b>x</b>']" in result.stdout
