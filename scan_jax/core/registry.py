"""The module path is the registry: `config.data.name = "photo_folder"` is `scan_jax/data/photo_folder.py`."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError


def find(room: ModuleType, name: object, opener: str, where: str) -> ModuleType:
    """The module of `room` that is called `name`.

    Args:
      room: a package, such as `scan_jax.data`.
      name: from a config.
      opener: the function that makes a module one to choose, such as "open_splits".
      where: the key of the name for messages, such as "config.data.name".

    Raises:
      UserError: there is no such module; it names the nearest.
    """
    path = f"{room.__name__}.{name}"
    if str(name).isidentifier() and importlib.util.find_spec(path):
        module = importlib.import_module(path)
        if hasattr(module, opener):
            return module
    names = [module.__name__.rsplit(".", 1)[1] for module in choices(room, opener)]
    raise UserError(f"{where} has no {name!r}{did_you_mean(str(name), names)} (choose one of {', '.join(names)})")


def choices(room: ModuleType, opener: str) -> list[ModuleType]:
    """Every module (or package) of `room` that has the function `opener`, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(room.__path__))
    modules = [importlib.import_module(f"{room.__name__}.{name}") for name in names]
    return [module for module in modules if hasattr(module, opener)]


def own_keys(room: ModuleType, module: ModuleType, opener: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """`section` without the keys that only other modules of the room know.

    So a config keeps working when another source is named on the command line; a key that nobody knows stays, and is
    refused where the section is bound.
    """
    own = _keys(module)
    others = set().union(*(_keys(other) for other in choices(room, opener))) - own
    return {key: value for key, value in section.items() if key not in others}


def _keys(module: ModuleType) -> set[str]:
    """The fields of the module's `Settings`."""
    return {field.name for field in dataclasses.fields(module.Settings)}
