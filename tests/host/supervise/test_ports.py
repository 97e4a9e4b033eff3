# SPDX-License-Identifier: GPL-3.0-or-later
"""Free ports are free and different; a taken one is named."""

import socket

import pytest

from host.supervise import free_ports, require_free_port
from semcom_blocks.errors import ConfigError


def test_free_ports_are_different_and_bindable():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        assert require_free_port("port", port) == port


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"host port {port} on 127\.0\.0\.1 is in use"):
            require_free_port("host port", port)


def test_a_foreign_address_is_an_error_not_a_crash():
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        require_free_port("port", 5570, "192.0.2.1")
