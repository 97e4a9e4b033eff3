# SPDX-License-Identifier: GPL-3.0-or-later
"""A task under the radio's interpreter: its output, or one line why there is none."""

import pytest

from host.supervise.radio_task import radio_task
from semcom_blocks.errors import PeerError


def test_what_fails_is_told_with_its_last_line():
    with pytest.raises(PeerError, match=r"^bench task nonsense ended with [1-9]\d*: \S.*$"):
        radio_task("nonsense", {}, 60)


def test_what_takes_too_long_is_told():
    with pytest.raises(PeerError, match=r"^bench task fade did not end within 0.001 s$"):
        radio_task("fade", {}, 0.001)
