# SPDX-License-Identifier: GPL-3.0-or-later
"""Which software made a result."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[1]
REPORTED_PACKAGES = ("numpy", "torch", "torchmetrics", "pyzmq", "msgpack", "pillow")


def project_version() -> str:
    """The version in ``pyproject.toml``."""
    text = (REPO_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"', text, re.MULTILINE)
    return found[1] if found else "unknown"


def package_versions() -> dict[str, str]:
    """Interpreter and packages that a result of the models depends on, without importing them."""
    found = {"python": platform.python_version()}
    for name in REPORTED_PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing"
    return found


def own_versions() -> dict[str, str]:
    """The testbed and the system that it runs on."""
    return {"semcom": project_version(), "system": platform.platform()}
