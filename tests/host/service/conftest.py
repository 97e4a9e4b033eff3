# SPDX-License-Identifier: GPL-3.0-or-later
"""A service in a thread, and a client for it."""

import threading

import pytest
import zmq

from host.client import HostClient
from host.service.handlers import Handlers
from host.service.server import Server
from tests.host.codec_double import CodecDouble


@pytest.fixture
def context():
    with zmq.Context() as context:
        yield context
        context.destroy(linger=0)


@pytest.fixture
def serve():
    """A function that starts a server with a given codec loader."""
    running = []

    def start(load_codec=CodecDouble):
        server = Server("tcp://127.0.0.1:*", Handlers(load_codec))
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.stop()
        thread.join(5)
        assert not thread.is_alive()
        server.close()


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def client(context, server):
    client = HostClient(context, server.endpoint)
    client.ping(5)
    yield client
    client.close()
