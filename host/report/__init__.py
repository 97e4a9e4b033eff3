# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of a job: ``report.json``, ``report.png``, the picture, the prompt, a table."""
