# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks, one architecture per file; weights under ``weights/``."""
