# SPDX-License-Identifier: GPL-3.0-or-later
"""OFDM in NumPy, files in signal order."""
