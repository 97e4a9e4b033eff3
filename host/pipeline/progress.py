# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pipeline tells where it is, without knowing who watches."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Somebody who watches a job."""

    def stage(self, name: str) -> None:
        """A stage begins: ``set-up``, ``encode``, ``air``, ``decode``, ``generate``, ``report``."""

    def frames(self, done: int, total: int) -> None:
        """``done`` of ``total`` frames are on the air; ``total`` 0 means unknown."""

    def steps(self, done: int, total: int) -> None:
        """``done`` of ``total`` steps of the generator are over."""

    def note(self, text: str) -> None:
        """Something the user should read, one line."""


class Unwatched:
    """Nobody watches."""

    def stage(self, name: str) -> None:
        """Nothing."""

    def frames(self, done: int, total: int) -> None:
        """Nothing."""

    def steps(self, done: int, total: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""
