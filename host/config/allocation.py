# SPDX-License-Identifier: GPL-3.0-or-later
"""The table ``allocation``: power, carriers and modulation of each stream chosen by meaning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from host.config.base import Frozen


class AllocationConfig(Frozen):
    """How streams share the air; see ``host.allocation.controller``."""

    # Bands of their own for prompt and edges, planned by what is known of the channel.
    adapt: bool = False
    # Wrong bits that the edge stream bears: at 0.03 pictures keep 0.999 of their likeness and
    # 0.991 of their MS-SSIM, see docs/latency-aware.md.
    edge_ber: float = Field(0.03, ge=1e-7, le=0.1)
    # One modulation order of the edge stream; 0 means the best that fits.
    edge_order: Literal[0, 2, 4, 16, 64, 256] = 0
    # SNR kept in hand against estimation errors and change.
    margin_db: float = Field(1.0, ge=0, le=20)
