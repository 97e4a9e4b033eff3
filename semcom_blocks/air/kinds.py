# SPDX-License-Identifier: GPL-3.0-or-later
"""From a device's configuration to the device."""

from __future__ import annotations

import importlib

from semcom_blocks.air.config import AirConfig
from semcom_blocks.air.device import Device

#: kind → module and class, made from a DeviceConfig.
_CLASSES = {
    "pluto": ("semcom_blocks.air.pluto", "VirtualPluto"),
    "usrp": ("semcom_blocks.air.usrp", "VirtualUsrp"),
}


def make_devices(config: AirConfig) -> list[Device]:
    """The devices of ``config``, in its order."""
    made = []
    for its in config.devices:
        module, name = _CLASSES[its.kind]
        made.append(getattr(importlib.import_module(module), name)(its))
    return made
