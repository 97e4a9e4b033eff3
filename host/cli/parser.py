# SPDX-License-Identifier: GPL-3.0-or-later
"""argparse whose complaints are one line, and options that come from the run's models."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Literal, NoReturn, get_args, get_origin

from host.config.explain import check_field, permitted
from host.config.models import RunConfig
from semcom_blocks.errors import ConfigError

USAGE_EXIT = 2


class UsageError(ConfigError):
    """The command line cannot be understood."""


class DefaultsFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that names a default only where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


class OneLineParser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that raises ``UsageError`` instead of printing its usage."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", DefaultsFormatter)
        # An abbreviation that works today would break when a new option shares its start.
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(" ".join(message.split()))


def _field_of(dotted: str) -> tuple[type, str]:
    model: Any = RunConfig
    *parents, leaf = dotted.split(".")
    for parent in parents:
        model = model.model_fields[parent].annotation
    return model, leaf


def _typed(dotted: str) -> Callable[[str], Any]:
    model, leaf = _field_of(dotted)
    # A choice of numbers is compared, not converted: pydantic would not take their text.
    choices = {str(choice): choice for choice in get_args(model.model_fields[leaf].annotation)}

    def convert(text: str) -> Any:
        try:
            return check_field(model, leaf, choices.get(text, text))
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def add_field(
    parser: argparse._ActionsContainer,
    flag: str,
    dotted: str,
    text: str,
    *,
    default: str | None = None,
) -> None:
    """Add option ``flag`` for field ``dotted`` (``channel.snr_db``) of the run.

    Type, range and default come from the model, so help, check and file agree. The
    option is absent from the namespace unless given: only what the user typed
    overrides the experiment file.
    """
    model, leaf = _field_of(dotted)
    info = model.model_fields[leaf]
    shown = default if default is not None else "off" if info.default is None else info.default
    choices = get_origin(info.annotation) is Literal
    options = ",".join(map(str, get_args(info.annotation)))
    metavar = f"{{{options}}}" if choices else _unit(leaf)
    limits = "" if choices or not info.metadata else f"; {permitted(info)}"
    parser.add_argument(
        flag,
        dest=dotted,
        type=_typed(dotted),
        default=argparse.SUPPRESS,
        metavar=metavar,
        help=f"{text} (default: {shown}{limits})".replace("%", "%%"),
    )


def _unit(leaf: str) -> str:
    for suffix, unit in {
        "_db": "DB",
        "_hz": "HZ",
        "_ppm": "PPM",
        "_s": "S",
        "_port": "PORT",
    }.items():
        if leaf.endswith(suffix):
            return unit
    return leaf.upper()


def positive(low: float, high: float, kind: type = float) -> Callable[[str], Any]:
    """An argparse type: a ``kind`` between ``low`` and ``high``, ends included."""
    word = "whole" if kind is int else "finite"

    def convert(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{text!a} is not a {word} number, permitted: {low:g} to {high:g}"
                if value != value
                else f"{text!a} is refused, permitted: {low:g} to {high:g}"
            )
        return value

    return convert


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    """The run's fields that were given on the command line, by dotted name."""
    fields = RunConfig.model_fields
    return {key: value for key, value in vars(args).items() if key.split(".")[0] in fields}
