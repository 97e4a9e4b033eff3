# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a measurement rather than with the radio.

RadioError
├── NoSignal      nothing stands out of the noise
├── Clipped       the converter saturates at every gain
└── NoReference   a measurement needs a second radio
"""

from semcom_blocks.errors import RadioError


class NoSignal(RadioError):
    """The signal that should be there is not."""


class Clipped(RadioError):
    """The receiver saturates whatever its gain."""


class NoReference(RadioError):
    """A measurement needs the clock of a second radio."""
