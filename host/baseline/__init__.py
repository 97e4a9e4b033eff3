# SPDX-License-Identifier: GPL-3.0-or-later
"""The digital baseline: a picture codec, 5G LDPC and QAM on the symbols that JSCC would take."""
