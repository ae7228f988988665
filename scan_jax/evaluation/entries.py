"""Who is measured: trained networks, folders of results, and methods that need no training."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.types import Observation
from scan_jax.evaluation.baselines import find_baseline
from scan_jax.evaluation.evaluator import Devices
from scan_jax.evaluation.exchange import by_folder, content_digest
from scan_jax.evaluation.filling import Fill, Labels, by_network
from scan_jax.evaluation.scoring import Test
from scan_jax.inference.engine import Engine
from scan_jax.inference.trained import Trained, parameter_hash
from scan_jax.methods.api import find_refiner


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One way to fill the holes of a test.

    Attributes:
      name: in tables.
      key: of the folder that keeps its scores.
      kind: what it is.
      fill: completes a batch.
      depends_on: what its completions depend on besides the test.
      details: for the reader.
      config: of the run; empty for others.
      folder: of the run; None for others.
      engine: of a network, for its maps.
    """

    name: str
    key: str
    kind: Literal["run", "predictions", "baseline"]
    fill: Fill
    depends_on: tuple[object, ...]
    details: Mapping[str, str]
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    folder: Path | None = None
    engine: Engine | None = None


def from_run(folder: Path, trained: Trained, refine: Sequence[str], size: int, devices: Devices) -> list[Contestant]:
    """A network, and once more for every optimisation at test time.

    Raises:
      UserError: it cannot fill photographs of this size, or has no such optimisation.
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

    def observe(image: np.ndarray, known: np.ndarray, labels: Labels) -> Any:
        arrays: tuple[Any, ...] = (image, known, labels if trained.method.num_labels else None)
        return Observation(*arrays)

    def contestant(refiner: str) -> Contestant:
        def predict(*seen: Any) -> Any:
            observation = observe(*seen)
            if refiner:
                return engine.refine(refiner, observation, 0, None).prediction.image
            return engine.predict(observation, 0)

        name = folder.resolve().name
        title = f"{name} with {refiner.replace('_', ' ')}" if refiner else name
        told = details | ({"refined": refiner} if refiner else {})
        depends_on = (identity, statistics, section, refiner, looked_through if refiner else "")
        return Contestant(
            title, _slug(title), "run", by_network(predict), depends_on, told, trained.config, trained.folder, engine
        )

    return [contestant(refiner) for refiner in ("", *refine)]


def from_predictions(folder: Path, test: Test) -> Contestant:
    """A folder of another program's results.

    Raises:
      UserError: files are missing.
    """
    name = folder.resolve().name
    fill, digest = by_folder(folder, test), content_digest(folder, test)
    details = {"folder": str(folder), "content": digest[:12]}
    return Contestant(name, _slug(name), "predictions", fill, (digest,), details)


def from_baseline(key: str, test: Test) -> Contestant:
    """A method that needs no training.

    Raises:
      UserError: there is none of that name, or it needs labels that the test lacks.
    """
    baseline = find_baseline(key, test.photographs[0].get("labels"))
    details = {"computed by": ", ".join(map(str, baseline.depends_on))} if baseline.depends_on else {}
    return Contestant(baseline.name, key, "baseline", baseline.fill, baseline.depends_on, details)


def with_unique_names(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Those whose names collide are told apart by their folders.

    Raises:
      UserError: one is named twice.
    """
    names = [contestant.name for contestant in contestants]
    told = [
        one
        if names.count(one.name) == 1
        else dataclasses.replace(one, name=f"{one.name} ({one.details.get('folder', one.key)})")
        for one in contestants
    ]
    twice = [one.name for i, one in enumerate(told) if one.name in (other.name for other in told[:i])]
    if twice:
        raise UserError(f"{twice[0]} is named twice; name everything that is measured once")
    return told


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
