"""A trained network from a run folder or a bundle, checked against the config beside it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core import checkpoint_folder
from scan_jax.core.bounds import Size
from scan_jax.core.checkpoint_folder import Ledger
from scan_jax.core.config import value_at
from scan_jax.core.errors import UserError, told_of
from scan_jax.core.progress import telling
from scan_jax.core.run_layout import BUNDLE, CONFIG, DAMAGE, first_line, read_sections
from scan_jax.core.run_layout import COMMIT_FILE as COMMIT_FILE
from scan_jax.core.types import Example
from scan_jax.inference import kept
from scan_jax.methods import api
from scan_jax.methods.api import GENERATOR, Method, Trees, Variables
from scan_jax.weights import bundle, registry

log = logging.getLogger(__name__)
EXPORTED = "exported"  # the section of a bundle's config that says where it comes from
ROUNDED = "rounded"  # in the notes of a bundle: to which type its parameters were


@dataclasses.dataclass(frozen=True)
class Trained:
    """A method and its variables."""

    config: dict[str, Any]  # what it was made with
    method: Method  # built from the config
    variables: Variables  # on the host; moving averages stand in for the networks that have one
    size: int  # the short side in pixels of the photographs that it was trained on
    step: int  # updates that it had seen; 0 where that is not known
    folder: Path  # of the run or bundle
    # What a bundle says of its arrays, such as their licence; empty for a run
    noted: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def identity(self) -> str:
        """SHA-256 (hex) of the generator's parameters: the same in a run's checkpoint and in its export."""
        noted = self.noted.get(bundle.GENERATOR_HASH)
        return noted or parameter_hash(self.variables.params[GENERATOR])

    @classmethod
    def load(cls, name: Path) -> Trained:
        """From a checkpoint of a run folder, or from a bundle.

        Args:
          name: a bundle, or RUN for the newest whole checkpoint, RUN@best or RUN@4000 for that one.

        Raises:
          UserError: there is no such folder or step, nothing in it can be read, its config describes another network,
            or a bundle is of a newer format, was changed since it was written, or has a pickle inside.
        """
        folder, which = split(name)
        config = read_config(folder)
        noted: Mapping[str, str] = {}
        is_bundle = (folder / BUNDLE).is_file() or EXPORTED in config or bundle.SECTION in config
        if is_bundle:
            bundle.check(folder, config)
        with told_of(folder / CONFIG):
            section, size = value_at(config, "method", Mapping[str, Any]), value_at(config, "data.size", Size)
            method = api.build_method(section)
        if is_bundle:
            step, found, noted = _bundle(folder, which, config)
        else:
            step, found = restore(folder, which)
        fitted = fit(found, method, f"the networks in {name}", shapes_of(method, section))
        trained = cls(config, method, fitted, size, step, folder, noted)
        log.info("%s: %s at step %d, parameters %s", name, section["name"], step, trained.identity[:12])
        return trained


def fit(found: Variables, method: Method, name: str, shapes: Shapes | None = None) -> Variables:
    """The networks of `method` that `found` has; its generator must be among them.

    `name` begins the message, such as "the networks in runs/camvid"; `shapes` are the method's, where they are known.
    UserError where an array is missing, of another shape or unknown; it names the first, and what would fit.
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
    if which != NEWEST:
        raise UserError(f"{folder} is a bundle, which holds one network; leave out @{which}")
    tree, noted = bundle.load(folder, config)
    params = jax.tree.map(lambda x: x.astype(np.float32) if x.dtype.itemsize == 2 else x, tree["params"])
    return config.get(EXPORTED, {}).get("step", 0), Variables(params, tree["stats"]), noted


NEWEST, BEST = "newest", "best"  # in place of a step


def split(name: Path) -> tuple[Path, str]:
    """Which run, and which of its checkpoints: RUN is the newest, RUN@best and RUN@4000 name one.

    A run folder that has the very name is itself meant, and where there is none, imported weights of that name; a
    UserError where what follows the @ is neither.
    """
    if not name.exists() and (imported := registry.imported_bundle(str(name))):
        return imported, NEWEST
    run, at, which = name.name.rpartition("@")
    folder = name.with_name(run) if run else name
    if not at or not run or (name / CONFIG).exists() or not folder.is_dir():
        return name, NEWEST
    if which not in (NEWEST, BEST) and not which.isdecimal():
        raise UserError(f"{name}: after the @ stands {BEST}, {NEWEST} or a step such as 4000, not {which!r}")
    return folder, which


# What is read of a config besides its method and what a test needs; more may be there, of an older version.
READ = {
    **dict.fromkeys(("data", "holes", "augmentation", "training", "evaluation", EXPORTED), Mapping[str, Any]),
    "data.size": Size,
    "training.checkpoints": str,
    "evaluation.refine": tuple[str, ...],
    f"{EXPORTED}.step": int,
}


def read_config(run: Path) -> dict[str, Any]:
    """The config of a run; a UserError where there is no such folder, it is no run's, or its config is damaged."""
    if not run.is_dir():
        raise UserError(f"there is no run folder {run}; give the --workdir of a training run")
    path = run / CONFIG
    if not path.exists():
        raise UserError(f"{run} is not a run folder: it has no config.json; give a training run's --workdir")
    config = read_sections(path, "restore the file or train anew")
    with told_of(path):
        for key, kind in READ.items():
            value_at(config, key, kind, None)
    return config


def checkpoints_of(run: Path) -> Path:
    """Where the run's checkpoints lie: in its folder, or where its config says.

    UserError where the config is damaged, or what reads buckets is not installed.
    """
    training = read_config(run).get("training", {}) if (run / CONFIG).is_file() else {}
    return checkpoint_folder.place(run, training.get("checkpoints", ""))


def committed_steps(run: Path) -> list[int]:
    """The steps of all checkpoints that are whole, newest first; a UserError where their place is out of reach."""
    return checkpoint_folder.committed_steps(checkpoints_of(run))


def restore(run: Path, which: str = NEWEST) -> tuple[int, Variables]:
    """Networks of a checkpoint; the moving average stands in for the networks that have one.

    Args:
      run: the run folder.
      which: a step, "best" for that with the highest PSNR on held-out photographs among those that were kept, or
        "newest" for the newest that can be read.

    Returns:
      The step, and variables on the host.

    Raises:
      UserError: there is no checkpoint, not that one, or none that can be read; never random weights instead.
    """
    folder = checkpoints_of(run)
    steps = checkpoint_folder.committed_steps(folder)
    if not steps:
        raise UserError(f"{run} has no checkpoint yet; train it first, or wait until the run has saved one")
    wanted = steps if which == NEWEST else [_find(run, which, steps, Ledger.read(folder))]
    for step in wanted:
        try:
            return step, _restore_step(folder, step)
        except DAMAGE as error:
            log.warning("checkpoint %d of %s is damaged (%s)", step, run, first_line(error))
    if which != NEWEST:
        raise UserError(f"checkpoint {wanted[0]} of {run} cannot be read; there are: {_list(steps)}")
    raise UserError(f"none of the {len(steps)} checkpoints of {run} can be read; train on to write a new one")


def _find(run: Path, which: str, steps: Sequence[int], ledger: Ledger) -> int:
    """The step that is meant."""
    best = ledger.best(steps)
    if which == BEST:
        if not best:
            raise UserError(
                f"no checkpoint of {run} was measured while it trained, so none is the best (training.keep_best and "
                f"evaluate_every see to that); there are: {_list(steps)}"
            )
        return best[0]
    if int(which) not in steps:
        which_is_best = f", of which {best[0]} is the best" if best else ""
        raise UserError(f"{run} has no checkpoint {which}; there are: {_list(steps)}{which_is_best}")
    return int(which)


def _list(steps: Sequence[int]) -> str:
    """In the order in which they were written."""
    return ", ".join(map(str, sorted(steps)))


def _restore_step(folder: Path, step: int) -> Variables:
    """The moving averages, the parameters of the networks without one, and the statistics; as NumPy arrays."""
    tree = checkpoint_folder.arrays_in(folder, step)
    wanted = {"ema": tree["ema"], "stats": tree["stats"]}
    others = {name: network for name, network in tree["params"].items() if name not in tree["ema"]}
    if others:  # an empty tree is none to Orbax
        wanted["params"] = others
    here = jax.dtypes.canonicalize_dtype  # older runs under JAX_ENABLE_X64=1 hold float64
    target = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, here(leaf.dtype)), wanted)
    restored = checkpoint_folder.read(folder, step, target, partial=True)
    return Variables({**restored.get("params", {}), **restored["ema"]}, restored["stats"])


def parameter_hash(params: Trees) -> str:
    """SHA-256 (hex) of names, shapes, types and bytes: the same hash, the same networks."""
    hasher = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.ascontiguousarray(leaf)
        hasher.update(f"{jax.tree_util.keystr(path)} {array.shape} {array.dtype}\n".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()


BLANK = 64  # pixels; no parameter's shape depends on the photograph's size

Shapes = dict[str, dict[str, tuple[int, ...]]]  # "params generator" -> path in the tree -> shape


def shapes_of(method: Method, section: Mapping[str, Any]) -> Shapes:
    """The shapes of all networks of a method that `section` built: as noted on the disk, else by tracing its `init`."""
    place = kept.place_of(type(method), section)
    note = place.with_name(f"{place.name}.shapes.json") if place else None
    noted = _read(note) if note else None
    if noted is not None:
        return noted
    with telling("tracing the network, for the shapes of its arrays"):
        shapes = trace(method)
    if note:
        kept.write(note, json.dumps(shapes).encode())
    return shapes


def trace(method: Method) -> Shapes:
    """The shapes of all its networks."""
    key = jax.eval_shape(jax.random.key, 0)  # its shape will do: to draw it would be a compilation of its own
    wanted = jax.eval_shape(method.init, key, blank(method.num_labels))
    return {
        f"{kind} {network}": shapes_in(tree)
        for kind, trees in (("params", wanted.params), ("stats", wanted.stats))
        for network, tree in trees.items()
    }


def blank(num_labels: int) -> Example:
    """The shapes of one photograph, without arrays."""
    image, known = (jax.ShapeDtypeStruct((1, BLANK, BLANK, channels), jnp.float32) for channels in (3, 1))
    labels: Any = jax.ShapeDtypeStruct((1, BLANK, BLANK), jnp.int32) if num_labels else None
    return Example(image, known, labels)  # type: ignore[arg-type]


def shapes_in(tree: Any) -> dict[str, tuple[int, ...]]:
    """By the leaf's path."""
    return {jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _read(place: Path) -> Shapes | None:
    """What was noted, or None."""
    try:
        noted = json.loads(place.read_text(encoding="utf-8"))
        return {name: {path: tuple(shape) for path, shape in tree.items()} for name, tree in noted.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return None
