# SPDX-License-Identifier: GPL-3.0-or-later
"""What every table of the experiment file is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Validated once, never changed; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
