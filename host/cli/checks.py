# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a whole run that belong to a command rather than to a value."""

from __future__ import annotations

from host.config import RunConfig
from host.config.models import RADIO_SIM
from host.supervise import radio_python
from semcom_blocks.errors import ConfigError
from semcom_blocks.transport import check_endpoint


def check_run(
    run: RunConfig, *, sim_only: bool = False, host: str | None = None, radios: bool = True
) -> RunConfig:
    """Return ``run`` if this command can carry it out here; ``radios``: it starts them itself."""
    if sim_only and not run.radio.is_sim:
        raise ConfigError(f"radio {run.radio.spec!a} is no radio for demo, permitted: {RADIO_SIM}")
    if host is not None:
        check_endpoint(host)
    if radios:
        radio_python()
    return run
