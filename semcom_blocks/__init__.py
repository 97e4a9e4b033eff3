# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio side of the semantic-communication testbed.

Everything except :mod:`semcom_blocks.gr` and :mod:`semcom_blocks.radio` imports
without GNU Radio and runs on NumPy 1.24 and 2.x.
"""

__version__ = "0.1.0"
