# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has the device: a token that must be shown, and shown again in time."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from semcom_blocks.errors import RadioError

# As in the maker's own server; libuhd shows its token once a second.
LAPSE_S = 5.0
TOKEN_BYTES = 8  # 16 characters


class Claim:
    """The one claim of a device; ``clock`` is a monotonic time in seconds."""

    def __init__(self, clock: Callable[[], float], lapse_s: float = LAPSE_S) -> None:
        self._clock = clock
        self._lapse_s = lapse_s
        self._token = ""
        self._seen_s = 0.0

    def held(self) -> bool:
        """Whether somebody has the device."""
        return bool(self._token) and self._clock() - self._seen_s < self._lapse_s

    def lapsed(self) -> bool:
        """Whether a claim stands that was not shown in time."""
        return bool(self._token) and not self.held()

    def take(self) -> str:
        """Claim the device and get the token."""
        if self.held():
            raise RadioError("Double-claim")  # the words that libuhd's users know
        self._token = secrets.token_hex(TOKEN_BYTES)
        self._seen_s = self._clock()
        return self._token

    def show(self, token: object) -> bool:
        """Whether ``token`` is the claim's; if so it stands for another while."""
        if not self.held() or token != self._token:
            return False
        self._seen_s = self._clock()
        return True

    def release(self) -> None:
        """Nobody has the device."""
        self._token = ""
