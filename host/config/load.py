# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge defaults, a TOML file and the command line into one validated run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from host.config.explain import explain, show
from host.config.models import RunConfig
from semcom_blocks.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same parser under its earlier name, which pytest brings on Python 3.10
    import tomli as tomllib

FILE_BYTES_MAX = 1 << 20  # an experiment file is a page of text; more is the wrong file


def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file; ``ConfigError`` when it is absent, huge or malformed."""
    path = Path(path)
    try:
        if not path.is_file():
            raise ConfigError(f"config {show(str(path))} is not a file, permitted: a TOML file")
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise ConfigError(
                f"config {show(str(path))} has {size} bytes, permitted: 0 to {FILE_BYTES_MAX}"
            )
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"config {show(str(path))} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"config {show(str(path))} is not TOML: {error}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"config {show(str(path))} cannot be read: {error}") from None


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid on top, table by table; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"channel.snr_db": 5}`` as ``{"channel": {"snr_db": 5}}``."""
    tables: dict[str, Any] = {}
    for dotted, value in flat.items():
        *parents, leaf = dotted.split(".")
        table = tables
        for parent in parents:
            table = table.setdefault(parent, {})
        table[leaf] = value
    return tables


def load_run(
    file: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> RunConfig:
    """The validated run.

    ``defaults`` (of a subcommand) < ``file`` (TOML) < ``overrides`` (given on the
    command line); the last two mappings have dotted keys such as
    ``channel.snr_db``. Raises ``ConfigError``, one line.
    """
    tables = nest(defaults or {})
    if file is not None:
        tables = merge(tables, read_toml(file))
    tables = merge(tables, nest(overrides or {}))
    try:
        return RunConfig.model_validate(tables)
    except ValidationError as error:
        raise explain(RunConfig, error) from None
