# SPDX-License-Identifier: GPL-3.0-or-later
"""A world with exact meaning: scenes, their captions, their pictures, and how right a copy is."""
