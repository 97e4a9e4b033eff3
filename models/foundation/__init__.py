# SPDX-License-Identifier: GPL-3.0-or-later
"""The foundation tier: the roles of :mod:`models.roles` filled by Hugging Face checkpoints.

A checkpoint is named ``hf:ORG/NAME`` (hub id) or ``hf:PATH`` (a folder in the same format).
"""
