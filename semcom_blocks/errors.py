# SPDX-License-Identifier: GPL-3.0-or-later
"""The exception tree of the whole testbed.

Every error that a user may meet is a :class:`SemcomError` whose text is one
line that names the offending value and the permitted range.  The command line
prints that line and exits with :attr:`SemcomError.exit_code`.

    SemcomError
    ├── ConfigError      a parameter outside its range (also a ValueError)
    ├── SourceError      a picture or prompt that cannot be sent
    ├── WireError        a malformed message between processes
    ├── LinkError        packets and ARQ
    │   └── ArqGaveUp    the prompt was not acknowledged in bounded time
    ├── RadioError       a radio that is missing, busy or gone
    ├── ModelError       weights missing, foreign or damaged
    └── PeerError        a process of the testbed that died or does not answer
"""


class SemcomError(Exception):
    """Base of every named error of the testbed."""

    exit_code = 2


class ConfigError(SemcomError, ValueError):
    """A parameter is outside its permitted range."""


class SourceError(SemcomError):
    """A picture or prompt cannot be read or sent."""


class WireError(SemcomError):
    """A message between processes is malformed or exceeds a limit."""


class LinkError(SemcomError):
    """The packet layer failed."""

    exit_code = 1


class ArqGaveUp(LinkError):
    """The prompt was not acknowledged within the permitted time or tries."""


class RadioError(SemcomError):
    """A radio is missing, busy, misconfigured or gone."""


class ModelError(SemcomError):
    """Weights are missing, foreign or damaged."""


class PeerError(SemcomError):
    """A process of the testbed died or does not answer."""

    exit_code = 1


def require_range(name: str, value: float, low: float, high: float) -> float:
    """Return ``value`` if ``low <= value <= high``, else raise :class:`ConfigError`.

    NaN fails every comparison and is refused with the rest.
    """
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}, permitted: {low} to {high}")
    return value


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``choices``, else raise :class:`ConfigError`."""
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}, permitted: {', '.join(choices)}")
    return value
