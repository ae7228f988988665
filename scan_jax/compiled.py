"""A method's ways to answer, jitted for the state of a run: predictions, refined ones, and what pixels attend to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from scan_jax.core.types import Array, Observation, Prediction
from scan_jax.methods.api import Method, Trees, Variables, find_refiner
from scan_jax.training.state import TrainState

Labels = np.ndarray | None
# Moves a tree of arrays with the batch in front to the devices, each its share where the batch divides among them.
Place = Callable[[Any], Any]
# (state, image [B,S,S,3], known [B,S,S,1], labels [B,S,S] or None) -> a prediction by the generator's moving average
PredictWith = Callable[[TrainState, np.ndarray, np.ndarray, Labels], Prediction]
# (state, the same, points (row, column) [B,P,2]) -> by the map's name, weights [B,P,S,S]
LookWith = Callable[[TrainState, np.ndarray, np.ndarray, Labels, np.ndarray], Mapping[str, Array]]


def make_predict(method: Method, place: Place) -> PredictWith:
    """The method's prediction."""
    predict = jax.jit(lambda networks, seen: method.predict(networks, seen, jax.random.key(0)))
    return lambda state, *seen: predict(_averaged(state), place(_observe(*seen)))


def make_refine(method: Method, name: str, frozen: Trees, place: Place) -> PredictWith:
    """By one of the method's optimisations at test time; `frozen` lies on the devices."""
    refiner = find_refiner(method, name)
    refine = jax.jit(lambda networks, frozen, seen: refiner(networks, frozen, seen, jax.random.key(0)).prediction)
    return lambda state, *seen: refine(_averaged(state), frozen, place(_observe(*seen)))


def make_look(method: Method, place: Place) -> LookWith:
    """All of the method's maps; none for most."""

    def look(networks: Variables, seen: Observation, points: Array) -> Mapping[str, Array]:
        return {name: attend(networks, seen, points) for name, attend in method.maps.items()}

    compiled = jax.jit(look)
    return lambda state, *seen: compiled(_averaged(state), *place((_observe(*seen[:3]), seen[3])))


def _averaged(state: TrainState) -> Variables:
    """The networks as they fill holes: by their moving average, where they have one."""
    return Variables({**state.params, **state.ema}, state.stats)


def _observe(image: np.ndarray, known: np.ndarray, labels: Labels) -> Any:
    """What a network may see, on the host."""
    arrays: tuple[Any, ...] = (image * known, known, labels)
    return Observation(*arrays)
