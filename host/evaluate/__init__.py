# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluation tables, one file per model with ``add_arguments`` and ``run``."""
