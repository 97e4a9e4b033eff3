# SPDX-License-Identifier: GPL-3.0-or-later
"""What a figure is made with, and what a figure is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def _silent(share: float) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Settings:
    """How thoroughly to measure, and what others measured before.

    ``out``: folder of the results, where one figure finds another's.  ``tell``: the share of
    the work that is done, 0 … 1.
    """

    out: Path
    quick: bool = False
    seed: int = 1
    tell: Callable[[float], None] = field(default=_silent, compare=False)


@dataclass(frozen=True)
class Page:
    """One figure: ``compute`` measures it, ``draw`` makes a PNG of it, ``lines`` say what it shows.

    ``met`` of the document: whether the figure's goal holds; absent where it has none.
    """

    about: str
    compute: Callable[[Settings], Document]
    draw: Callable[[Document], bytes]
    lines: Callable[[Document], list[str]]
