"""Who is measured: what fills the holes of a benchmark, a batch at a time."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.types import Observation
from scan_jax.evaluation.benchmark import Batch
from scan_jax.evaluation.results import COMPLETION, PREDICTION, Kind
from scan_jax.inference.engine import Engine, Place
from scan_jax.inference.trained import Trained, parameter_hash
from scan_jax.inference.ways import GREY, WAYS, ByEquation, check
from scan_jax.methods.api import find_refiner

# an observation on the host -> prediction [B,S,S,3] in [0, 1]; placing arrays on devices is the function's own business
Predict = Callable[[Observation], Any]
Pictures = Mapping[str, np.ndarray]  # COMPLETION and maybe PREDICTION: uint8 [B,S,S,3]
Fill = Callable[[Batch], Pictures]
# one photograph: uint8 [S,S,3], bool [S,S], int32 [S,S] or None -> completion uint8 [S,S,3]
FillOne = Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One way to fill the holes of a benchmark; name, kind, details, config and folder as of `EntryResult`."""

    name: str
    key: str  # of the folder that keeps its scores
    kind: Kind
    fill: Fill
    depends_on: tuple[object, ...] | None = ()  # besides the benchmark; None where its scores are not to be kept
    details: Mapping[str, str] = dataclasses.field(default_factory=dict)
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    folder: Path | None = None
    engine: Engine | None = None  # of a network, for its maps


@dataclasses.dataclass(frozen=True)
class Devices:
    """Those of this process; processes share the work in whole batches."""

    count: int
    share: Place  # places a tree of arrays, the batch in front divided among the devices
    copy: Place  # places a tree of arrays on each


def local_devices() -> Devices:
    """All of this process."""
    devices = jax.local_devices()
    mesh = Mesh(np.array(devices), ("data",))
    shared, whole = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())
    return Devices(len(devices), lambda tree: jax.device_put(tree, shared), lambda tree: jax.device_put(tree, whole))


def by_network(predict: Predict) -> Fill:
    """Completion: the prediction rounded to 8 bits in the hole, the photograph's own bytes elsewhere; and all of it."""

    def fill(batch: Batch) -> Pictures:
        prediction = np.asarray(jax.device_get(predict(batch.observe())), np.float32)  # [B,S,S,3]
        finite = np.atleast_1d(np.isfinite(prediction).all((1, 2, 3)))  # [B]; NaN would turn black without a word
        bad = [str(row) for row, fine in zip(batch.rows, finite) if not fine]
        if bad:
            raise UserError(
                f"the network predicts pixels that are not finite for {', '.join(bad[:3])}"
                + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
                + "; train it anew or take an earlier checkpoint"
            )
        return compose(batch, np.round(255.0 * np.clip(prediction, 0.0, 1.0)).astype(np.uint8))

    return fill


def one_by_one(filler: FillOne) -> Fill:
    """`filler`, which completes one photograph, over a batch and on all cores."""

    def fill(batch: Batch) -> Pictures:
        count = len(batch.rows)
        labels = [None] * count if batch.labels is None else batch.labels[:count]
        with ThreadPoolExecutor() as pool:
            filled = list(pool.map(filler, batch.photographs[:count], batch.holes[:count], labels))
        return {COMPLETION: pad(filled, len(batch.holes))}  # [B,S,S,3]

    return fill


def compose(batch: Batch, prediction: np.ndarray) -> Pictures:
    """Of a raw prediction uint8 [B,S,S,3]: what is measured, and itself."""
    completion = np.where(batch.holes[..., None], prediction, batch.photographs)
    return {COMPLETION: completion, PREDICTION: prediction}


def pad(images: list[np.ndarray], count: int) -> np.ndarray:
    """A stack of `count`; the last is repeated."""
    return np.stack(images + images[-1:] * (count - len(images)))


def from_run(folder: Path, trained: Trained, refine: Sequence[str], size: int, devices: Devices) -> list[Entry]:
    """A network, and once more for every optimisation at test time.

    UserError where it cannot fill photographs of this size, or has no such optimisation.
    """
    if size % trained.method.stride:
        raise UserError(f"{folder} fills multiples of {trained.method.stride} pixels, not {size}; choose another size")
    for name in refine:
        find_refiner(trained.method, name)
    engine = Engine(trained.method, trained.variables, share=devices.share, copy=devices.copy)
    identity = parameter_hash(trained.variables.params)
    statistics = parameter_hash(trained.variables.stats)
    looked_through = parameter_hash(engine.frozen) if refine else ""
    section = json.dumps(trained.config["method"], sort_keys=True, default=str)
    details = {"folder": str(folder), "step": str(trained.step), "parameters": trained.identity[:12]}

    def entry(refiner: str) -> Entry:
        def predict(seen: Observation) -> Any:
            seen = seen if trained.method.num_labels else dataclasses.replace(seen, labels=None)
            return engine.refine(refiner, seen, 0, None).prediction.image if refiner else engine.predict(seen, 0)

        name = folder.resolve().name + (f" with {refiner.replace('_', ' ')}" if refiner else "")
        shown = details | ({"refined": refiner} if refiner else {})
        depends_on = (identity, statistics, section, refiner, looked_through if refiner else "")
        about = (depends_on, shown, trained.config, trained.folder, engine)
        return Entry(name, slug(name), "run", by_network(predict), *about)

    return [entry(refiner) for refiner in ("", *refine)]


def with_unique_names(entries: Sequence[Entry]) -> list[Entry]:
    """Those whose names collide are told apart by their folders; a UserError where one is named twice."""
    shared = Counter(one.name for one in entries)
    full = [f" ({one.details.get('folder', one.key)})" if shared[one.name] > 1 else "" for one in entries]
    renamed = [dataclasses.replace(one, name=one.name + more) for one, more in zip(entries, full)]
    for name, count in Counter(one.name for one in renamed).items():
        if count > 1:
            raise UserError(f"{name} is named twice; name everything that is measured once")
    return renamed


def slug(name: str) -> str:
    """A name as one of a folder."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def find_baseline(key: str, labelled: object) -> Entry:
    """The baseline of that name, such as "telea"; `labelled` are the first photograph's labels, or None.

    UserError where there is none, or it needs labels that are not there.
    """
    if key not in BASELINES:
        raise UserError(f"no baseline {key!r}{did_you_mean(key, BASELINES)}; there are: {', '.join(BASELINES)}")
    if key == "class_mean" and labelled is None:
        raise UserError("the baseline class_mean needs photographs with label maps; leave it out")
    if key in WAYS:
        WAYS[key].check_installed()
    return BASELINES[key]


def baselines_for(labels: np.ndarray | None) -> tuple[Entry, ...]:
    """Those that photographs with (or, for None, without) labels are compared with; differences are to the first."""
    keys = ("navier_stokes", "harmonic", "biharmonic", *(() if labels is None else ("class_mean",)))
    return tuple(BASELINES[key] for key in keys)


def mean(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The mean colour of the known pixels; arguments and results as of `inference.ways.Way`."""
    check(photograph, hole)
    colour = photograph[~hole].mean(0) if not hole.all() else np.full(3, float(GREY))  # [3]
    return np.where(hole[..., None], np.round(colour).astype(np.uint8), photograph)


def class_mean(photograph: np.ndarray, hole: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Fills each class in the mean colour of its known pixels, the floor of a model that paints from one style a class.

    As `mean`, with `labels` integers [H,W], not negative. A class that lies in the hole alone gets the mean of all
    known pixels; where nothing is known, everything is mid-grey. ValueError for no labels, another type or unequal
    sizes.
    """
    check(photograph, hole)
    if labels is None:
        raise ValueError("the class mean needs labels")
    if labels.shape != hole.shape or labels.dtype.kind not in "ui":
        raise ValueError(f"integers {hole.shape} are needed, not {labels.dtype} {labels.shape}")
    colours, classes = photograph[~hole], labels[~hole]  # [K,3], [K]
    overall = colours.mean(0) if len(colours) else np.full(3, float(GREY))  # [3]
    least = int(labels.max()) + 1
    counts = np.bincount(classes, minlength=least)[:, None]  # [N,1]
    totals = np.stack([np.bincount(classes, channel, least) for channel in colours.T], axis=-1)  # [N,3]
    means = np.where(counts > 0, totals / np.maximum(counts, 1), overall)  # [N,3]
    return np.where(hole[..., None], np.round(means).astype(np.uint8)[labels], photograph)


def _without_network(name: str, key: str) -> Entry:
    """What `scan_jax inpaint --run=KEY` fills with, too."""
    way = WAYS[key]
    details = {"computed by": ", ".join(map(str, way.computed_by))} if way.computed_by else {}
    return Entry(name, key, "baseline", _fill_by(way), way.computed_by, details)


def _fill_by(way: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Fill:
    """`way`, which does not look at labels: equations a batch at a time, others photograph by photograph."""
    if isinstance(way, ByEquation):
        return lambda batch: {COMPLETION: way.fill_batch(batch.photographs, batch.holes)}
    return one_by_one(lambda photograph, hole, labels: way(photograph, hole))


NAMES = {
    "navier_stokes": "Navier-Stokes",
    "telea": "Telea",
    "harmonic": "harmonic",
    "biharmonic": "biharmonic",
    "patchmatch": "PatchMatch",
}
BASELINES = {
    **{key: _without_network(name, key) for key, name in NAMES.items()},
    "mean": Entry("mean colour", "mean", "baseline", _fill_by(mean)),
    "class_mean": Entry("class mean", "class_mean", "baseline", one_by_one(class_mean)),
}
