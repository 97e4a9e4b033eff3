# SPDX-License-Identifier: GPL-3.0-or-later
"""Edge maps: drawn from pictures, and coded into few bits that survive errors."""
