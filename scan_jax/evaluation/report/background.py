"""What stands behind the numbers: who was measured, configs, environment."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from scan_jax.evaluation.results import Entry, Results

# What can change a number.
PACKAGES = ("scan_jax", "jax", "jaxlib", "flax", "numpy", "opencv-python-headless", "pillow", "safetensors")
KINDS = {"run": "trained network", "predictions": "folder of results", "baseline": "needs no training"}


@dataclasses.dataclass(frozen=True)
class Who:
    """One entry as the page introduces it; `series` numbers its colour."""

    series: int
    name: str
    kind: str
    details: Mapping[str, str]
    speed: str


@dataclasses.dataclass(frozen=True)
class Configs:
    """The runs' configs.

    Attributes:
      names: of the entries that have one; those that share a folder are one.
      differing: values by dotted key, in the names' order, where not all are equal; empty for one run.
      full: all of it as JSON, by name.
    """

    names: tuple[str, ...]
    differing: Mapping[str, tuple[str, ...]]
    full: Mapping[str, str]


def introduce(entries: tuple[Entry, ...]) -> tuple[Who, ...]:
    """The entries with what is known of each."""
    return tuple(Who(i, one.name, KINDS[one.kind], one.details, one.speed) for i, one in enumerate(entries))


def read_configs(results: Results) -> Configs:
    """Of all entries that have one, one for each folder."""
    named = one_per_folder([entry for entry in results.entries if entry.config])
    flat = [flatten(entry.config) for entry in named.values()]
    keys = sorted({key for one in flat for key in one})
    lines = {key: tuple(_printed(one[key]) if key in one else "not there" for one in flat) for key in keys}
    differing = {key: values for key, values in lines.items() if len(set(values)) > 1}
    full = {name: json.dumps(entry.config, indent=2, default=_plain) for name, entry in named.items()}
    return Configs(tuple(named), differing, full)


def one_per_folder(entries: Sequence[Entry]) -> dict[str, Entry]:
    """The first entry of each folder, such as a run and the same one with style search, by the names of all of them."""
    shared: dict[object, list[Entry]] = {}
    for entry in entries:
        shared.setdefault(entry.folder.resolve() if entry.folder else entry.name, []).append(entry)
    return {", ".join(entry.name for entry in those): those[0] for those in shared.values()}


def flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves by dotted key, such as "training.batch_size"; an empty section is a leaf."""
    leaves: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def environment() -> dict[str, str]:
    """Interpreter, machine, devices and the versions of the packages that can change a number."""
    devices = jax.devices()
    kinds = sorted({device.device_kind for device in devices})
    versions = {name: version for name in PACKAGES if (version := _version(name))}
    return {
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "devices": f"{len(devices)} x {', '.join(kinds)} ({devices[0].platform})",
    } | versions


def _version(package: str) -> str:
    """Empty where it is not installed, such as a copy that is run from its sources."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _printed(value: Any) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    """Of what JSON does not know: mappings and sequences of other classes, and text for the rest."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, (tuple, set, frozenset)) else str(value)
