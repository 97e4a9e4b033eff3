# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets and ARQ without I/O: bytes and a clock in, events out."""
