# SPDX-License-Identifier: GPL-3.0-or-later
"""Radios behind one interface, and the radio processes."""
