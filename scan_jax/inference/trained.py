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
EXPORTED = "exported"  # the section of a bundle's config that says where it comes from
GENERATOR = "generator"  # the network that fills holes
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
      folder: of the run or bundle.
    """

    config: dict[str, Any]
    method: Method
    variables: Variables
    size: int
    step: int
    folder: Path

    @property
    def identity(self) -> str:
        """SHA-256 (hex) of the generator's parameters: the same in a run's checkpoint and in its export."""
        return run_folder.parameter_hash(self.variables.params[GENERATOR])

    @classmethod
    def load(cls, name: Path) -> Trained:
        """From a checkpoint of a run folder, or from a bundle.

        Args:
          name: a bundle, or RUN for the newest whole checkpoint, RUN@best or RUN@4000 for that one.

        Raises:
          UserError: there is no such folder or step, nothing in it can be read, or its config describes another
            network.
        """
        folder, which = run_folder.split(name)
        config = run_folder.read_config(folder)
        try:
            section, size = config["method"], int(config["data"]["size"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{folder}/config.json lacks a method or data.size; give the folder of a run") from error
        method = api.build_method(section)
        read = _bundle if (folder / BUNDLE).is_file() else run_folder.restore
        step, found = read(folder, which)
        trained = cls(config, method, fit(found, method, f"the networks in {name}"), size, step, folder)
        log.info("%s: %s at step %d, parameters %s", name, section["name"], step, trained.identity[:12])
        return trained


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
    if GENERATOR not in found.params:
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


def _bundle(folder: Path, which: str) -> tuple[int, Variables]:
    """The step that an export notes, and what it holds."""
    if which != run_folder.NEWEST:
        raise UserError(f"{folder} is a bundle, which holds one network; leave out @{which}")
    tree = bundle.load(folder)
    noted = run_folder.read_config(folder).get(EXPORTED, {})
    return int(noted.get("step", 0)), Variables(tree["params"], tree["stats"])


def _blank(num_labels: int) -> Example:
    """One photograph; only its shapes matter."""
    image, known = jnp.zeros((1, BLANK, BLANK, 3)), jnp.ones((1, BLANK, BLANK, 1))
    return Example(image, known, jnp.zeros((1, BLANK, BLANK), jnp.int32) if num_labels else None)
