# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of Industrial I/O: devices with channels, and attributes that are text.

An attribute is a pair of functions.  ``write`` raises :class:`OSError` with an errno of
the kernel's choosing (EINVAL out of range, EACCES read-only); the daemon sends its
negative to the client, which raises the same error there.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from dataclasses import dataclass, field


def read_only(text: str) -> None:
    raise OSError(errno.EACCES, f"attribute is read-only, not to be set to {text!r:.40}")


@dataclass(frozen=True)
class Attribute:
    """``filename`` is the name in sysfs, which channels of one kind may share."""

    read: Callable[[], str]
    write: Callable[[str], None] = read_only
    filename: str = ""


Attributes = dict[str, Attribute]


@dataclass(frozen=True)
class Channel:
    """``scan_index`` and ``scan_format`` only where samples can be streamed."""

    id: str
    output: bool
    attributes: Attributes
    name: str | None = None
    scan_index: int | None = None
    scan_format: str = ""


@dataclass(frozen=True)
class IioDevice:
    """Attributes by kind: of the device, for debugging, of its buffer."""

    id: str
    name: str
    channels: tuple[Channel, ...] = ()
    attributes: Attributes = field(default_factory=dict)
    debug: Attributes = field(default_factory=dict)
    buffer: Attributes = field(default_factory=dict)

    def channel(self, channel_id: str, output: bool) -> Channel | None:
        for channel in self.channels:
            if channel.id == channel_id and channel.output == output:
                return channel
        return None

    @property
    def scan_channels(self) -> int:
        """How many channels can be streamed."""
        return sum(channel.scan_index is not None for channel in self.channels)


def constant(text: str) -> Attribute:
    return Attribute(lambda: text)


def channel_attributes(
    channel_id: str, output: bool, attributes: Attributes, *, name: str = "", shared: str = ""
) -> Attributes:
    """Add file names; those in ``shared`` (names in one string) belong to all of the kind."""
    direction = "out" if output else "in"
    own = f"{direction}_{channel_id}{'_' + name if name else ''}"
    common = f"{direction}_{channel_id.rstrip('0123456789')}"
    return {
        key: Attribute(value.read, value.write, f"{common if key in shared.split() else own}_{key}")
        for key, value in attributes.items()
    }


def parse_int(text: str, low: int, high: int) -> int:
    """A whole number within the range, as the kernel's ``kstrtol`` takes it; else EINVAL."""
    try:
        value = int(text.strip(), 0)
    except ValueError:
        # Clients print frequencies as floating-point numbers; a fraction is cut off.
        value = math.floor(parse_float(text, low, high))
    if not low <= value <= high:
        raise OSError(errno.EINVAL, f"{text.strip()!r:.40} is outside {low} to {high}")
    return value


def parse_float(text: str, low: float, high: float) -> float:
    """A number within the range, with or without the unit dB; else EINVAL."""
    try:
        value = float(text.strip().removesuffix("dB"))
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise OSError(errno.EINVAL, f"{text.strip()!r:.40} is outside {low:g} to {high:g}")
    return value


def parse_choice(text: str, choices: tuple[str, ...]) -> str:
    if text.strip() not in choices:
        raise OSError(errno.EINVAL, f"{text.strip()!r:.40} is none of {', '.join(choices)}")
    return text.strip()


def choice(choices: tuple[str, ...], initial: str = "") -> tuple[Attribute, Attribute]:
    """An attribute of one of several words without any effect, and the list of them."""
    value = [initial or choices[0]]

    def write(text: str) -> None:
        value[0] = parse_choice(text, choices)

    return Attribute(lambda: value[0], write), constant(" ".join(choices))


def number(low: float, high: float, initial: float, form: str) -> Attribute:
    """A number without any effect here; ``form`` prints it."""
    value = [initial]

    def write(text: str) -> None:
        value[0] = parse_float(text, low, high)

    return Attribute(lambda: format(value[0], form), write)
