# SPDX-License-Identifier: GPL-3.0-or-later
"""Radios as a calibration sees them: one interface (``base``), one file per maker."""
