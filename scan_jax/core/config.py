"""Config sections as checked dataclasses: an unknown key or a wrong type is one line that names the cure."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from scan_jax.core.errors import UserError

T = TypeVar("T")


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the candidate nearest to `name`, or nothing where none is near."""
    near = difflib.get_close_matches(str(name), list(candidates), n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else ""


def require_at_least(least: float, where: str, **values: float) -> None:
    """Refuses settings below `least`.

    Args:
      least: what each may be.
      where: their section's path, such as "config.training".
      **values: by key.

    Raises:
      UserError: one is lower; it names the first.
    """
    for key, value in values.items():
        if not value >= least:
            raise UserError(f"{where}.{key} must be at least {least:g}, not {value:g}")


def bind(section: Mapping[str, Any], settings: type[T], where: str) -> T:
    """`section` as an instance of the dataclass `settings`; nested dataclasses are bound likewise.

    Args:
      section: a dict or ConfigDict. A key `name`, which picked the dataclass, is dropped where `settings` has none.
      settings: a dataclass whose annotations are the allowed types.
      where: the section's path for messages, such as "config.method".

    Raises:
      UserError: an unknown key (with the nearest known one), a missing key, or a value of another type.
    """
    if not isinstance(section, Mapping) and not hasattr(section, "items"):
        raise UserError(f"{where} must be a section of keys, not {section!r}")
    fields = {field.name: field for field in dataclasses.fields(settings)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(settings)
    given = {key: value for key, value in section.items() if key != "name" or "name" in fields}
    for key in given:
        if key not in fields:
            raise UserError(f"unknown config key {where}.{key}{did_you_mean(key, fields)}")
    for key, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and key not in given:
            raise UserError(f"{where}.{key} is missing; set it in the config file")
    return settings(**{key: _coerce(value, hints[key], f"{where}.{key}") for key, value in given.items()})


def _coerce(value: Any, wanted: Any, where: str) -> Any:
    """`value` as the annotation `wanted` has it, or a UserError."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any:
        return value
    if origin is typing.Literal:
        if value not in arguments:
            raise UserError(
                f"{where} must be one of {arguments}, not {value!r}{did_you_mean(value, map(str, arguments))}"
            )
        return value
    if dataclasses.is_dataclass(wanted):
        return bind(value, typing.cast(type, wanted), where)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _coerce(value, next(a for a in arguments if a is not type(None)), where)
    if origin is tuple and isinstance(value, (list, tuple)):
        return _coerce_tuple(value, arguments, where)
    if isinstance(origin, type) and issubclass(origin, Mapping) and hasattr(value, "items"):
        return {key: _coerce(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(wanted, type) and isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
        return value
    name = getattr(wanted, "__name__", str(wanted)) if origin is None else str(wanted)
    raise UserError(f"{where} must be {name}, not {value!r} ({type(value).__name__})")


def _coerce_tuple(value: Iterable[Any], arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    """A list or tuple, item by item; `tuple[X, ...]` takes any length, `tuple[X, Y]` just two."""
    items = tuple(value)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(items)
    if len(items) != len(arguments):
        raise UserError(f"{where} must have {len(arguments)} items, not {len(items)}: {items!r}")
    return tuple(_coerce(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(items, arguments)))
