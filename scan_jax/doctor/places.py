"""Where things lie on disk, what is there, and how much room is left."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder.

    Attributes:
      name: what lies there.
      path: where.
      chosen_by: the environment variable that said so; empty for the default.
      exists: whether the folder is there.
      writable: whether it, or the folder in which it would be made, can be written to.
      free: bytes on its disk.
      content: names of what is there.
    """

    name: str
    path: str
    chosen_by: str
    exists: bool
    writable: bool
    free: int
    content: tuple[str, ...]


def look(compilations: str) -> tuple[Place, ...]:
    """Every place that the toolkit uses.

    Args:
      compilations: folder of compiled programs, which only JAX knows; empty where it did not start.
    """
    from scan_jax.weights import registry

    places = [
        _place("working folder", Path.cwd()),
        _place("weights", registry.folder(), registry.FOLDER_VARIABLE, _list_weights),
    ]
    if datasets := _datasets():
        places.append(_place("datasets", datasets, "TFDS_DATA_DIR", _list_datasets))
    if compilations and "://" not in compilations:  # storage elsewhere has no disk to measure
        places.append(_place("compiled programs", Path(compilations), "JAX_COMPILATION_CACHE_DIR", _count))
    return tuple(places)


def _nothing(path: Path) -> tuple[str, ...]:
    return ()


def _place(name: str, path: Path, variable: str = "", listed: Callable[[Path], tuple[str, ...]] = _nothing) -> Place:
    known = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    return Place(
        name=name,
        path=str(path),
        chosen_by=variable if os.environ.get(variable) else "",
        exists=path.is_dir(),
        writable=os.access(known, os.W_OK),
        free=shutil.disk_usage(known).free,
        content=listed(path),
    )


def _datasets() -> Path | None:
    """None where the packages that read them are not installed."""
    try:
        from scan_jax.data.prepared import default_data_dir
    except ImportError:
        return None
    return default_data_dir()


def _list_datasets(path: Path) -> tuple[str, ...]:
    """Such as celeba_hq/256, whatever their version."""
    return tuple(sorted({"/".join(info.parts[-4:-2]) for info in path.glob("*/*/*/dataset_info.json")}))


def _list_weights(path: Path) -> tuple[str, ...]:
    """Files of feature networks, folders of generators."""
    return tuple(sorted(one.name for one in path.glob("*") if one.suffix == ".safetensors" or one.is_dir()))


def _count(path: Path) -> tuple[str, ...]:
    number = sum(1 for _ in path.glob("*-cache"))
    return (f"{number} programs",) if number else ()
