# SPDX-License-Identifier: GPL-3.0-or-later
"""What both suites share: which tests an interpreter leaves out, and how properties are tried."""

import importlib.util
import signal

import pytest
from hypothesis import HealthCheck, settings

from host.test_runner import SUITES, foreign

# One of them as a rule; an environment that holds GNU Radio and torch together runs all.
present = [suite for suite in SUITES if importlib.util.find_spec(suite.core_module)]
ignored = set.intersection(*(set(foreign(suite)) for suite in present)) if present else set()
collect_ignore = sorted(map(str, ignored))


# A shell starts background jobs with SIGINT ignored and children inherit that, so where the whole
# run is such a job, no command under test would ever see its Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# The same examples everywhere, and no verdict from the speed of a machine that does other work.
settings.register_profile(
    "semcom", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("semcom")


def pytest_configure(config):
    if not present:
        needed = " or ".join(suite.core_module for suite in SUITES)
        raise pytest.UsageError(f"this interpreter has no {needed}: run ./semcom test")
