# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the processes of a job with their interpreters, configurations and environments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from host.config import RunConfig, radio_job
from host.config.generation import ModelsConfig
from host.supervise import Child, Supervisor, host_python, radio_python
from host.supervise.environment import child_environment

# The radios' numeric libraries gain nothing from threads at frame size, and two
# flowgraphs share the machine with the codec.
RADIO_THREADS = 1


def start_host(crew: Supervisor, endpoint: str, threads: int, models: ModelsConfig) -> Child:
    """The model service, listening on ``endpoint``."""
    argv = [host_python(), "-m", "host.service", "--bind", endpoint, "--threads", str(threads)]
    argv += ["--models", models.model_dump_json()]
    environment = child_environment(threads=threads)
    # The models compute with torch; NumPy's own threads would only wait for one another.
    environment["OPENBLAS_NUM_THREADS"] = "1"
    return crew.start("host", argv, environment)


def start_radio(
    crew: Supervisor,
    role: Literal["tx", "rx"],
    run: RunConfig,
    work_dir: Path,
    *,
    repeatable: bool = False,
    watched: bool = True,
    host_endpoint: str | None = None,
) -> Child:
    """The radio process of one side, its configuration as a JSON file in ``work_dir``."""
    python = radio_python()
    job = radio_job(run, role, repeatable=repeatable, host_endpoint=host_endpoint)
    config = work_dir / f"radio-{role}.json"
    config.write_text(json.dumps(job, allow_nan=False), encoding="utf-8")
    argv = [python, "-m", "semcom_blocks.radio", role, "--config", str(config)]
    environment = child_environment(threads=RADIO_THREADS, user_site=False)
    return crew.start(f"radio {role}", argv, environment, watched)
