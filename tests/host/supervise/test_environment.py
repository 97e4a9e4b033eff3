# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio's interpreter is found or named."""

import sys

import pytest

from host.supervise import radio_python
from semcom_blocks.errors import RadioError


def test_it_can_be_chosen(monkeypatch):
    monkeypatch.setenv("SEMCOM_RADIO_PYTHON", sys.executable)
    assert radio_python() == sys.executable


def test_a_missing_one_is_named(monkeypatch):
    monkeypatch.setenv("SEMCOM_RADIO_PYTHON", "/no/such/python")
    with pytest.raises(RadioError, match=r"/no/such/python.*permitted: a Python with GNU Radio"):
        radio_python()
