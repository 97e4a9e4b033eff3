# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration of a radio: measure it, write a profile that ``tx`` and ``rx`` apply.

What is computed (``frequency``, ``rate``, ``gain``, ``imbalance``, ``delay``, ``noise``) is
pure NumPy on arrays of samples.  What it is computed from comes through one small interface
(``drivers``).  ``plan`` says which measurements are possible, ``run`` carries them out.
"""
