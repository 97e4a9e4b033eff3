# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpreters and environments of the two sides.

Radio and host need different NumPy versions and must never see each other's
packages: what the parent's environment says about Python does not reach a child.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from semcom_blocks.errors import RadioError

REPO_ROOT = Path(__file__).resolve().parents[2]
RADIO_PYTHON_VARIABLE = "SEMCOM_RADIO_PYTHON"
RADIO_PYTHON_DEFAULT = "/usr/bin/python3"  # the one that the distribution built GNU Radio for


def host_python() -> str:
    """The interpreter that runs this very process."""
    return sys.executable


def radio_python() -> str:
    """The interpreter that has GNU Radio; ``RadioError`` if there is no such program."""
    name = os.environ.get(RADIO_PYTHON_VARIABLE) or RADIO_PYTHON_DEFAULT
    found = shutil.which(name)
    if found is None:
        raise RadioError(
            f"radio interpreter {name!a} does not exist, permitted: a Python with GNU Radio "
            f"(variable {RADIO_PYTHON_VARIABLE}; ./semcom doctor tells how to get it)"
        )
    return found


def child_environment(threads: int | None = None, user_site: bool = True) -> dict[str, str]:
    """This process's environment without its Python settings, the repository importable.

    ``threads`` caps the numeric libraries' own thread pools. ``user_site=False``
    hides packages under the home directory: a NumPy 2 there makes GNU Radio 3.10.5
    abort on import.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("PYTHON") and key not in ("VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    }
    kept["PYTHONPATH"] = str(REPO_ROOT)
    kept["PYTHONUNBUFFERED"] = "1"  # the last line before a crash must reach the log
    if "PYTHONDONTWRITEBYTECODE" in os.environ:
        kept["PYTHONDONTWRITEBYTECODE"] = os.environ["PYTHONDONTWRITEBYTECODE"]
    if not user_site:
        kept["PYTHONNOUSERSITE"] = "1"
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            kept[name] = str(threads)
    return kept
