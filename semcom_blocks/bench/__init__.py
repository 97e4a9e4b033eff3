# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of the receiver and transmitter, and of other receivers on their own frames.

One task a process: ``python3 -m semcom_blocks.bench TASK REQUEST``, both words of
``REQUEST`` and the answer on stdout being JSON.  ``./semcom bench phy`` makes the
recording, then calls the tasks in turns on one core and compares.
"""
