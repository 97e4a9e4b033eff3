# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks, one module or package each with ``add_arguments`` and ``run``."""
