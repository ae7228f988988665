"""A trained network from a run folder or a bundle, checked against the config beside it."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from scan_jax.errors import UserError
from scan_jax.inference import run_folder
from scan_jax.methods import api
from scan_jax.methods.api import Method, Variables
from scan_jax.run_layout import BUNDLE
from scan_jax.types import Example
from scan_jax.weights import bundle

log = logging.getLogger(__name__)
BLANK = 64  # pixels; no parameter's shape depends on the photograph's size


@dataclasses.dataclass(frozen=True)
class Trained:
    """A method and its variables.

    Attributes:
      config: what it was made with.
      method: built from the config.
      variables: on the host; moving averages stand in for the networks that have one.
      size: the short side in pixels of the photographs that it was trained on.
      step: updates that it had seen; 0 where that is not known.
    """

    config: dict[str, Any]
    method: Method
    variables: Variables
    size: int
    step: int

    @classmethod
    def load(cls, folder: Path) -> Trained:
        """From a run folder, its newest whole checkpoint, or from a bundle.

        Raises:
          UserError: there is no such folder, nothing in it can be read, or its config describes another network.
        """
        config = run_folder.read_config(folder)
        try:
            section, size = config["method"], int(config["data"]["size"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{folder}/config.json lacks a method or data.size; give the folder of a run") from error
        method = api.build_method(section)
        step, found = (0, _bundle(folder)) if (folder / BUNDLE).is_file() else run_folder.restore(folder)
        variables = fit(found, method, f"the networks in {folder}")
        identity = run_folder.parameter_hash(variables.params)[:12]
        log.info("%s: %s at step %d, parameters %s", folder, section["name"], step, identity)
        return cls(config, method, variables, size, step)


def fit(found: Variables, method: Method, name: str) -> Variables:
    """The networks of `method` that `found` has; its generator must be among them.

    Args:
      found: variables of unknown origin.
      method: whose shapes they must have.
      name: begins the message, such as "the networks in runs/camvid".

    Raises:
      UserError: an array is missing, of another shape or unknown; it names the first, and what would fit.
    """
    wanted = jax.eval_shape(method.init, jax.random.key(0), _blank(method.num_labels))
    if "generator" not in found.params:
        raise UserError(f"{name} have no generator; give a run folder or a bundle of this toolkit")
    params, stats = {}, {}
    for network in wanted.params.keys() & found.params.keys():
        params[network], stats[network] = found.params[network], found.stats.get(network, {})
        for kind, have, want in (("", params, wanted.params), ("statistics of ", stats, wanted.stats)):
            _compare(f"{name}: {kind}{network}", have[network], want[network])
    return Variables(params, stats)


def _compare(name: str, have: Any, want: Any) -> None:
    """Refuses trees that differ in a name or a shape."""
    ours = {jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(want)}
    theirs = {jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(have)}
    for path in sorted(ours.keys() | theirs.keys()):
        if ours.get(path) != theirs.get(path):
            there, here = (str(shapes[path]) if path in shapes else "absent" for shapes in (theirs, ours))
            raise UserError(
                f"{name}{path} is {there}, by the config {here}: they are of another method, class count or width; "
                "give the config that they were made with"
            )


def _bundle(folder: Path) -> Variables:
    tree = bundle.load(folder)
    return Variables(tree["params"], tree["stats"])


def _blank(num_labels: int) -> Example:
    """One photograph; only its shapes matter."""
    image, known = jnp.zeros((1, BLANK, BLANK, 3)), jnp.ones((1, BLANK, BLANK, 1))
    return Example(image, known, jnp.zeros((1, BLANK, BLANK), jnp.int32) if num_labels else None)
