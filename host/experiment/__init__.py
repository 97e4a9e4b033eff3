# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments of published systems, one module each with ``add_arguments`` and ``run``."""
