"""A trained network from a run folder or a bundle, checked against the config beside it."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import BUNDLE
from scan_jax.inference import run_folder
from scan_jax.inference.network_shapes import Shapes, shapes_in, shapes_of, trace
from scan_jax.methods import api
from scan_jax.methods.api import Method, Variables
from scan_jax.weights import bundle

log = logging.getLogger(__name__)
EXPORTED = "exported"  # the section of a bundle's config that says where it comes from
GENERATOR = "generator"  # the network that fills holes
ROUNDED = "rounded"  # in the notes of a bundle: to which type its parameters were


@dataclasses.dataclass(frozen=True)
class Trained:
    """A method and its variables.

    Attributes:
      config: what it was made with.
      method: built from the config.
      variables: on the host; moving averages stand in for the networks that have one.
      size: the short side in pixels of the photographs that it was trained on.
      step: updates that it had seen; 0 where that is not known.
      folder: of the run or bundle.
      noted: what a bundle says of its arrays, such as their licence; empty for a run.
    """

    config: dict[str, Any]
    method: Method
    variables: Variables
    size: int
    step: int
    folder: Path
    noted: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def identity(self) -> str:
        """SHA-256 (hex) of the generator's parameters: the same in a run's checkpoint and in its export."""
        noted = self.noted.get(bundle.GENERATOR_HASH)
        return noted or run_folder.parameter_hash(self.variables.params[GENERATOR])

    @classmethod
    def load(cls, name: Path) -> Trained:
        """From a checkpoint of a run folder, or from a bundle.

        Args:
          name: a bundle, or RUN for the newest whole checkpoint, RUN@best or RUN@4000 for that one.

        Raises:
          UserError: there is no such folder or step, nothing in it can be read, its config describes another network,
            or a bundle is of a newer format, was changed since it was written, or has a pickle inside.
        """
        folder, which = run_folder.split(name)
        config = run_folder.read_config(folder)
        noted: Mapping[str, str] = {}
        is_bundle = (folder / BUNDLE).is_file()
        if is_bundle:
            bundle.check(folder, config)
        try:
            section, size = config["method"], int(config["data"]["size"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{folder}/config.json lacks a method or data.size; give the folder of a run") from error
        method = api.build_method(section)
        if is_bundle:
            step, found, noted = _bundle(folder, which, config)
        else:
            step, found = run_folder.restore(folder, which)
        fitted = fit(found, method, f"the networks in {name}", shapes_of(method, section))
        trained = cls(config, method, fitted, size, step, folder, noted)
        log.info("%s: %s at step %d, parameters %s", name, section["name"], step, trained.identity[:12])
        return trained


def fit(found: Variables, method: Method, name: str, shapes: Shapes | None = None) -> Variables:
    """The networks of `method` that `found` has; its generator must be among them.

    Args:
      found: variables of unknown origin.
      method: whose shapes they must have.
      name: begins the message, such as "the networks in runs/camvid".
      shapes: the method's, where they are known already.

    Raises:
      UserError: an array is missing, of another shape or unknown; it names the first, and what would fit.
    """
    shapes = trace(method) if shapes is None else shapes
    if GENERATOR not in found.params:
        raise UserError(f"{name} have no generator; give a run folder or a bundle of this toolkit")
    params, stats = {}, {}
    for network in (network for network in found.params if f"params {network}" in shapes):
        params[network], stats[network] = found.params[network], found.stats.get(network, {})
        _compare(f"{name}: {network}", params[network], shapes[f"params {network}"])
        _compare(f"{name}: statistics of {network}", stats[network], shapes[f"stats {network}"])
    return Variables(params, stats)


def _compare(name: str, have: Any, ours: Mapping[str, tuple[int, ...]]) -> None:
    """Refuses a tree that differs from shapes by path in a name or a shape."""
    theirs = shapes_in(have)
    for path in sorted(ours.keys() | theirs.keys()):
        if ours.get(path) != theirs.get(path):
            there, here = (str(shapes[path]) if path in shapes else "absent" for shapes in (theirs, ours))
            raise UserError(
                f"{name}{path} is {there}, by the config {here}: they are of another method, class count or width; "
                "give the config that they were made with"
            )


def _bundle(folder: Path, which: str, config: Mapping[str, Any]) -> tuple[int, Variables, Mapping[str, str]]:
    """The step that an export notes, what the bundle holds, and what is noted beside it."""
    if which != run_folder.NEWEST:
        raise UserError(f"{folder} is a bundle, which holds one network; leave out @{which}")
    tree, noted = bundle.load(folder, config)
    params = jax.tree.map(lambda x: x.astype(np.float32) if x.dtype == np.float16 else x, tree["params"])
    return int(config.get(EXPORTED, {}).get("step", 0)), Variables(params, tree["stats"]), noted
