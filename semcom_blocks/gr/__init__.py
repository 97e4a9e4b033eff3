# SPDX-License-Identifier: GPL-3.0-or-later
"""GNU Radio blocks: thin wrappers without mathematics."""
