# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual air: devices that speak their maker's own protocol, joined by one sample clock."""
