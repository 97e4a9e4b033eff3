# SPDX-License-Identifier: GPL-3.0-or-later
"""Free ports are free and different."""

import socket

from host.supervise import free_ports


def test_free_ports_are_different_and_bindable():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
