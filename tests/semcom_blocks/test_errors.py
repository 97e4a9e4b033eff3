# SPDX-License-Identifier: GPL-3.0-or-later
"""The exception tree, and the two checks that every configuration uses."""

import numpy as np
import pytest

from semcom_blocks import errors
from semcom_blocks.errors import ConfigError, SemcomError, require_choice, require_range

NAMED = [value for value in vars(errors).values() if isinstance(value, type)]


@pytest.mark.parametrize("kind", NAMED)
def test_every_error_is_a_semcom_error_with_an_exit_code(kind):
    assert issubclass(kind, SemcomError)
    assert kind.exit_code in (1, 2)
    assert kind.__doc__


def test_what_the_user_set_wrongly_exits_with_2_and_what_failed_at_work_with_1():
    two = (ConfigError, errors.SourceError, errors.WireError, errors.RadioError, errors.ModelError)
    assert {kind.exit_code for kind in two} == {2}
    assert {kind.exit_code for kind in (errors.ArqGaveUp, errors.PeerError)} == {1}
    assert issubclass(ConfigError, ValueError) and issubclass(errors.ArqGaveUp, errors.LinkError)


@pytest.mark.parametrize("value", [-2, -2.0, 0, 3.5, 5, np.float32(1.5), True])
def test_a_value_in_range_is_returned(value):
    assert require_range("snr_db", value, -2, 5) is value


@pytest.mark.parametrize(
    "value", [-2.001, 5.001, float("nan"), float("inf"), -float("inf"), np.float64("nan"), 10**400]
)
def test_a_value_out_of_range_is_named_with_the_range(value):
    with pytest.raises(ConfigError, match=r"snr_db is .*, permitted: -2 to 5") as caught:
        require_range("snr_db", value, -2, 5)
    assert str(value)[:6] in str(caught.value)


def test_choices():
    assert require_choice("model", "awgn", ("awgn", "rayleigh")) == "awgn"
    for wrong in ("AWGN", "", "awgn ", None):
        with pytest.raises(ConfigError, match=r"model is .*permitted: awgn, rayleigh"):
            require_choice("model", wrong, ("awgn", "rayleigh"))
