# SPDX-License-Identifier: GPL-3.0-or-later
"""The experiment file: one frozen, validated description of a run.

``load_run`` merges defaults, an optional TOML file and the command line (in that
order, later wins) and validates the whole; ``radio_job`` writes what a radio
process needs to know of it.
"""

from host.config.load import load_run
from host.config.models import (
    ChannelConfig,
    CodecConfig,
    LinkConfig,
    NetworkConfig,
    RadioConfig,
    RunConfig,
)
from host.config.radio_job import Endpoints, radio_job

__all__ = [
    "ChannelConfig",
    "CodecConfig",
    "Endpoints",
    "LinkConfig",
    "NetworkConfig",
    "RadioConfig",
    "RunConfig",
    "load_run",
    "radio_job",
]
