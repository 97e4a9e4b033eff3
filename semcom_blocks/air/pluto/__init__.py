# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual ADALM-PLUTO that speaks the text protocol of libiio's network daemon.

    iio  context            attributes and the XML that describes them
    synthesiser  chip       what the AD9363 is set to, with its limits and steps
    phy  cores  registers   the three IIO devices over it
    dds  buffers  ports     samples: tone generators, queues, what the engine calls
    protocol  reader        command lines
    connection  station     one client; what all clients share
    device                  the whole radio: power, sockets, faults

Shown with real drivers, never against a real radio.
"""

from semcom_blocks.air.pluto.device import VirtualPluto

__all__ = ["VirtualPluto"]
