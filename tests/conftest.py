# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves out what this interpreter cannot import; without its core module nothing runs at all."""

import importlib.util

import pytest

from host.test_runner import SUITES, foreign

# One of them as a rule; an environment that holds GNU Radio and torch together runs all.
present = [suite for suite in SUITES if importlib.util.find_spec(suite.core_module)]
ignored = set.intersection(*(set(foreign(suite)) for suite in present)) if present else set()
collect_ignore = sorted(map(str, ignored))


def pytest_configure(config):
    if not present:
        needed = " or ".join(suite.core_module for suite in SUITES)
        raise pytest.UsageError(f"this interpreter has no {needed}: run ./semcom test")
