# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the embedded models: one file each, with ``add_arguments`` and ``run``."""
