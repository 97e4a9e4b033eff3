# SPDX-License-Identifier: GPL-3.0-or-later
"""What libuhd's versions expect of a device's MPM server.

4.3 is tried with the real driver (Debian 12).  The others differ in the number alone
as far as their sources tell, and are here to be tried.
"""

from __future__ import annotations

from semcom_blocks.errors import require_choice

DEFAULT = "4.3"
COMPATIBILITY: dict[str, tuple[int, int]] = {
    "4.3": (4, 2),
    "4.4": (4, 4),
    "4.5": (5, 3),
    "4.6": (5, 3),
    "4.7": (5, 3),
    "4.8": (5, 3),
    "4.9": (5, 3),
    "4.10": (6, 1),
}


def compatibility(version: str) -> tuple[int, int]:
    """MPM's compatibility number for a version of libuhd."""
    return COMPATIBILITY[require_choice("UHD version", version, tuple(COMPATIBILITY))]
