# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual USRP: the network side of an E320, for the unmodified libuhd."""

from semcom_blocks.air.usrp.device import VirtualUsrp

__all__ = ["VirtualUsrp"]
