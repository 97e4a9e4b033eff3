# SPDX-License-Identifier: GPL-3.0-or-later
"""Companion's own platform and compiler, with our blocks, in a home of their own."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOWGRAPHS = sorted((ROOT / "flowgraphs").glob("*.grc"))


@pytest.fixture(scope="session")
def companion(tmp_path_factory):
    """Environment in which Companion finds our blocks and writes nothing into the user's home."""
    home = tmp_path_factory.mktemp("home")
    return {
        **os.environ,
        "HOME": str(home),
        **{f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "STATE")},
        "XDG_RUNTIME_DIR": str(home),
        "GRC_BLOCKS_PATH": str(ROOT / "semcom_blocks" / "grc"),
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="session")
def platform(companion):
    """Companion without its windows, all blocks loaded."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in companion.items():
            patch.setenv(name, value)
        # Its constants are made from the environment when it is imported.
        from gnuradio import gr
        from gnuradio.grc.core.platform import Platform

        parts = (gr.major_version(), gr.api_version(), gr.minor_version())
        platform = Platform(
            name="tests", prefs=gr.prefs(), version=gr.version(), version_parts=parts
        )
        platform.build_library()
    return platform


@pytest.fixture(scope="session")
def compiled(companion, platform, tmp_path_factory):
    """Folder of the programs that ``grcc`` makes; the platform has filled its cache before."""
    folder = tmp_path_factory.mktemp("compiled")
    result = subprocess.run(
        ["grcc", "-o", str(folder), *map(str, FLOWGRAPHS)],
        env=companion,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    # Among others, Companion misses flow control unless a block claims to have it.
    assert "Warning" not in result.stdout, result.stdout
    assert "Error" not in result.stdout, result.stdout
    return folder
