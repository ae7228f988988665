"""Names in configs and the modules that they stand for: tables, so that nothing is imported before it is chosen."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError

Table = Mapping[str, str]  # a name in configs: the full name of its module


def find(table: Table, name: object, where: str) -> ModuleType:
    """The module that is called `name`.

    Args:
      table: what there is to choose from.
      name: from a config.
      where: the key of the name for messages, such as "config.data.name".

    Raises:
      UserError: there is none; it names the nearest.
    """
    if isinstance(name, str) and name in table:
        return importlib.import_module(table[name])
    raise UserError(f"{where} has no {name!r}{did_you_mean(str(name), table)} (choose one of {', '.join(table)})")


def own_keys(table: Table, module: ModuleType, section: Mapping[str, Any]) -> dict[str, Any]:
    """`section` without the keys that only other modules of the table know.

    So a config keeps working when another source is named on the command line; a key that nobody knows stays, and is
    refused where the section is bound.
    """
    own = _keys(module)
    others = set().union(*(_keys(importlib.import_module(other)) for other in table.values())) - own
    return {key: value for key, value in section.items() if key not in others}


def _keys(module: ModuleType) -> set[str]:
    """The fields of the module's `Settings`."""
    return {field.name for field in dataclasses.fields(module.Settings)}
