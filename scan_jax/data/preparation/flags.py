"""A builder's settings as flags of a command: one dataclass says name, type, default and help."""

from __future__ import annotations

import argparse
import dataclasses
import re
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def flag(text: str, default: Any = dataclasses.MISSING) -> Any:
    """A field with a line of help; without a default it must be given."""
    return dataclasses.field(default=default, metadata={"help": text})


def add_flags(parser: argparse.ArgumentParser, settings: type) -> None:
    """A flag for each field of the dataclass `settings`."""
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        required = field.default is dataclasses.MISSING
        shown = "" if required or field.default in ("", ()) or field.default is False else f" ({field.default})"
        parser.add_argument(
            f"--{field.name}",
            required=required,
            default=None if required else field.default,
            help=field.metadata["help"].replace("%", "%%") + shown,
            **_reading(hints[field.name]),
        )


def read_flags(flags: argparse.Namespace, settings: type[T]) -> T:
    """The dataclass `settings` as the flags have it."""
    names = [field.name for field in dataclasses.fields(settings)]  # type: ignore[arg-type]
    return settings(**{name: getattr(flags, name) for name in names})


def _reading(hint: Any) -> dict[str, Any]:
    """How argparse reads a value of this type."""
    if typing.get_origin(hint) is typing.Literal:
        return {"choices": typing.get_args(hint)}
    if typing.get_origin(hint) is tuple:  # of pairs
        return {"type": _pairs, "metavar": "4-5,6-7"}
    if hint is bool:
        return {"action": "store_true"}
    return {"type": hint, "metavar": hint.__name__.upper()}


def _pairs(text: str) -> tuple[tuple[int, int], ...]:
    """ "4-5,6-7" as ((4, 5), (6, 7))."""
    pairs = [re.fullmatch(r"(\d+)-(\d+)", pair.strip()) for pair in text.split(",") if text]
    if None in pairs:
        raise argparse.ArgumentTypeError(f"pairs of numbers such as 4-5,6-7 are expected, not {text!r}")
    return tuple((int(pair[1]), int(pair[2])) for pair in pairs if pair)
