# SPDX-License-Identifier: GPL-3.0-or-later
"""Host side: the model service, pipelines, supervision and the command line."""
