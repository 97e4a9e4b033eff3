# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that go back to a flowgraph: no larger than it can show, and no wait for nobody."""

import numpy as np
import pytest
import zmq

from host.config import RunConfig
from host.pipeline.outcome import Outcome
from host.pipeline.viewer import MAX_SIDE, show_picture
from host.supervise import free_ports
from semcom_blocks.transport import MessageSocket, open_socket


@pytest.fixture
def context():
    with zmq.Context() as context:
        yield context


def outcome(picture):
    return Outcome(RunConfig(), 7, picture=picture)


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((60, 80), (60, 80)),
        ((MAX_SIDE, MAX_SIDE), (MAX_SIDE, MAX_SIDE)),
        ((MAX_SIDE + 1, 10), (513, 5)),
        ((1500, 3100), (375, 775)),
    ],
)
def test_a_picture_arrives_and_fits(context, shape, shown):
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    with MessageSocket(open_socket(context, zmq.PULL, bind="tcp://127.0.0.1:*")) as view:
        assert show_picture(context, view.endpoint, outcome(picture))
        message = view.receive(5.0)
    assert message.meta == {"job_id": 7, "prompt": ""}
    image = message.array("image", np.uint8, 3)
    assert image.shape == (*shown, 3)
    np.testing.assert_array_equal(image[0, 0], picture[0, 0])


def test_without_a_picture_or_without_a_viewer_nothing_is_shown(context):
    endpoint = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    assert not show_picture(context, endpoint, outcome(None))
    assert not show_picture(context, endpoint, outcome(np.zeros((4, 4, 3), np.uint8)))
