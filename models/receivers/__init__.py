# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers that complete latents of which a part is lost: four families, one interface."""
