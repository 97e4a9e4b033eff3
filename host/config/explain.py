# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a validation failure into one line that names the value and what is permitted.

pydantic reports the one bound that was crossed; a user wants to see the whole
range, so the other bound is read from the field's own declaration.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from semcom_blocks.errors import ConfigError

VALUE_CHARS_MAX = 80  # an error stays one readable line whatever was typed


def show(value: Any) -> str:
    """``repr`` of ``value``, shortened: control characters come out escaped."""
    text = ascii(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 3] + "..."


def _number(value: float) -> str:
    return f"{value:g}"


def permitted(info: FieldInfo) -> str:
    """What a field accepts, in words: ``-10 to 60``, ``awgn, rayleigh`` or ``a number``."""
    annotation = info.annotation
    options = [a for a in get_args(annotation) if a is not type(None)]
    if get_origin(annotation) is Literal:
        return ", ".join(str(option) for option in options)
    if len(options) == 1:  # X | None
        annotation = options[0]
    low = high = None
    for rule in info.metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", low))
        high = getattr(rule, "le", getattr(rule, "lt", high))
    kind = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
    if low is not None and high is not None:
        return f"{_number(low)} to {_number(high)}"
    return info.description or kind.get(annotation, "see --help")


def _not_finite(value: Any) -> bool:
    try:
        return not math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _complaint(kind: str, value: Any) -> str:
    """What is wrong with ``value``, in words, for pydantic's error ``kind``."""
    if kind in ("finite_number", "float_parsing", "float_type") or _not_finite(value):
        return "is not a finite number"
    if kind in ("int_parsing", "int_type", "int_from_float"):
        return "is not a whole number"
    if kind == "literal_error":
        return "is unknown"
    return "is refused"


def check_field(model: type[BaseModel], name: str, value: Any) -> Any:
    """Validate ``value`` as field ``name`` of ``model`` alone; return it converted.

    Raises ``ConfigError`` whose text starts with the value: ``'x' is not a finite
    number, permitted: -10 to 60``.
    """
    info = model.model_fields[name]
    adapter = TypeAdapter(info.rebuild_annotation())
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        kind = error.errors(include_url=False)[0]["type"]
        text = f"{show(value)} {_complaint(kind, value)}, permitted: {permitted(info)}"
        raise ConfigError(text) from None


def _field_at(model: type[BaseModel], path: tuple[Any, ...]) -> FieldInfo | None:
    info: FieldInfo | None = None
    for key in path:
        info = model.model_fields.get(key) if isinstance(key, str) else info
        if info is None:
            return None
        model = _nested(info.annotation) or model
    return info


def _nested(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, by itself, in a list or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_nested(argument) for argument in get_args(annotation))
    return next((found for found in inner if found is not None), None)


def _model_at(model: type[BaseModel], path: tuple[Any, ...]) -> type[BaseModel]:
    for key in path:
        info = model.model_fields.get(key) if isinstance(key, str) else None
        model = (_nested(info.annotation) if info is not None else None) or model
    return model


def explain(model: type[BaseModel], error: ValidationError) -> ConfigError:
    """The first complaint of ``error`` (raised by ``model``) as a one-line ``ConfigError``."""
    first = error.errors(include_url=False)[0]
    path = tuple(first["loc"])
    where = ".".join(str(part) for part in path)
    if first["type"] == "extra_forbidden":
        keys = ", ".join(_model_at(model, path[:-1]).model_fields)
        return ConfigError(f"unknown key {show(where)}, permitted: {keys}")
    if first["type"] == "value_error":  # a validator of ours, already worded
        text = str(first["ctx"]["error"])
        return ConfigError(f"{where}: {text}" if where else text)
    info = _field_at(model, path)
    what = permitted(info) if info is not None else first["msg"]
    value = first["input"]
    return ConfigError(
        f"{where} {show(value)} {_complaint(first['type'], value)}, permitted: {what}"
    )
