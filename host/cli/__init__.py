# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, one file per subcommand.

A subcommand is a module with ``add_arguments(parser)`` and ``run(args) -> int``
(the exit code). It is imported only when it is called, so that ``--help`` and a
typing error are answered at once.
"""
