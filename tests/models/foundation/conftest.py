# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints that all tests of the foundation tier share."""

from pathlib import Path

import pytest

pytest.importorskip("diffusers")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny ones; see :func:`tests.models.foundation.tiny.save_all`."""
    from tests.models.foundation.tiny import save_all

    return save_all(tmp_path_factory.mktemp("hub") / "checkpoints")
