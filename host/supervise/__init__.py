# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes: started together, watched, and gone when the command is gone."""

from host.supervise.child import Child
from host.supervise.environment import host_python, radio_python
from host.supervise.ports import free_ports
from host.supervise.supervisor import Supervisor

__all__ = [
    "Child",
    "Supervisor",
    "free_ports",
    "host_python",
    "radio_python",
]
