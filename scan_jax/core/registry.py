"""Names in configs and what they stand for: tables, so that nothing is imported before it is chosen."""

from __future__ import annotations

import dataclasses
import pkgutil
from collections.abc import Mapping
from typing import Any

from scan_jax.core.config import bind, did_you_mean
from scan_jax.core.errors import UserError

Table = Mapping[str, str]  # a name in configs: a module, "scan_jax.methods.rfr", or what is in one, "module:Class"


def find(table: Table, name: object, where: str) -> Any:
    """The module or class that is called `name` in a config; a UserError names `where` that is, and the nearest."""
    if isinstance(name, str) and name in table:
        return pkgutil.resolve_name(table[name])
    raise UserError(f"{where} has no {name!r}{did_you_mean(str(name), table)} (choose one of {', '.join(table)})")


def bind_named(table: Table, section: Mapping[str, Any], where: str) -> Any:
    """`section` as an instance of the table's dataclass that its `name` picks.

    Keys that only other classes of the table know are skipped, so that a config keeps working when another name is
    given on the command line; a key that none knows is refused, as a value that the class does not take.
    """
    settings = find(table, section.get("name", ""), f"{where}.name")
    own = _keys(settings)
    others = set().union(*(_keys(pkgutil.resolve_name(other)) for other in table.values())) - own
    return bind({key: value for key, value in section.items() if key not in others}, settings, where)


def _keys(settings: type) -> set[str]:
    return {field.name for field in dataclasses.fields(settings)}
