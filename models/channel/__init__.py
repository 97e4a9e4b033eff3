# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel estimation by a conditional GAN, as a residual on the robust LMMSE."""
