"""A method's networks, compiled: what runs on the device when a photograph is filled, refined, restyled, looked at."""

from __future__ import annotations

import functools
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from scan_jax.core.device import compiler_options
from scan_jax.core.distributed import fetch
from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar, tells_of_compiling
from scan_jax.core.types import Array, Observation, require_32_bits
from scan_jax.inference import kept
from scan_jax.methods.api import Method, Refined, Styles, Trees, Variables, find_refiner

log = logging.getLogger(__name__)
MANY_SHAPES = 16
Place = Callable[[Any], Any]  # moves a tree of arrays to the devices


class Engine:
    """Functions of observations on the host; each is compiled once for each shape.

    Attributes:
      method: whose networks these are.
      variables: on the devices; a training run puts those of its newest step here before each use.
    """

    def __init__(
        self,
        method: Method,
        variables: Variables,
        *,
        share: Place = jax.device_put,
        copy: Place = jax.device_put,
        frozen: Trees | None = None,
        place: Path | None = None,
    ) -> None:
        """Puts the variables, which are on the host, on the devices.

        `share` places a batch, which several devices may divide among them, and `copy` what each of them needs whole.
        `frozen` are the weights that optimisations at test time look through, on the devices; None loads them when they
        are needed. Who has them shows no progress of an optimisation: several processes cannot. `place` is where what
        predicts is kept as it was traced, for a single device; None keeps nothing.
        """
        self.method = method
        self._share, self._copy, self._frozen = share, copy, frozen
        self.variables = copy(Variables(dict(variables.params), dict(variables.stats)))
        program = kept.Program(self._predict, lambda: place) if place else None
        self._kept = tells_of_compiling("the network", program) if program else None
        self._compiled: dict[object, Callable[..., Any]] = {}
        self._shapes: set[tuple[int, ...]] = set()
        self._bar: Any = None

    def predict(self, observation: Observation, seed: int) -> Array:
        """What the network makes of it, [B,H,W,3] in [0, 1]: known pixels are not put back (`Tiles.merge` does)."""
        self._note(observation.image.shape)
        require_32_bits()
        given = self._given(observation, seed)
        return (self._kept or self._jit("predict", self._predict))(*given)

    def _predict(self, *given: Any) -> Array:
        return self.method.predict(*_with_key(given)).image

    def stages(self, observation: Observation) -> Mapping[str, np.ndarray]:
        """The network's pictures [B,H,W,3] on the way to the filled image, by name; where it has none, that image."""
        prediction = fetch(
            self._jit("stages", lambda *given: self.method.predict(*_with_key(given)))(*self._given(observation, 0))
        )
        return prediction.intermediates or {"completion": prediction.image}

    def refine(self, name: str, observation: Observation, seed: int, steps: int | None) -> Refined:
        """By an optimisation at test time, with a progress bar; a UserError for an unknown one, or missing weights."""
        refiner = find_refiner(self.method, name)

        def refine(*given: Any) -> Refined:
            return refiner(*_with_key(given), steps=steps, progress=self._advance if self._frozen is None else None)

        run = self._jit((name, steps), refine)
        with progress_bar(total=steps, desc=name.replace("_", " "), unit="update", leave=False) as self._bar:
            variables, *given = self._given(observation, seed)
            return jax.block_until_ready(run(variables, self.frozen, *given))

    def read_styles(self, observation: Observation) -> np.ndarray:
        """What each class is painted from: [B,L,S]; a UserError where the method has no styles."""
        run = self._jit("read", self._styles.read)
        return np.asarray(run(self.variables, self._share(observation)))

    def paint(self, observation: Observation, styles: np.ndarray, seed: int) -> Array:
        """The image [B,H,W,3] that styles [B,L,S] make; a UserError where the method has no styles."""
        run = self._jit("paint", lambda *given: self._styles.paint(*_with_key(given)).image)
        variables, seen, key = self._given(observation, seed)
        return run(variables, seen, self._share(styles), key)

    def look(self, observation: Observation, points: np.ndarray) -> Mapping[str, np.ndarray]:
        """What pixels (row, column) [B,P,2] attend to: [B,P,H,W] by the map's name; a UserError without attention."""
        if not self.method.maps:
            raise UserError("this network has no attention between pixels that could be shown")
        run = self._jit("look", lambda *given: {name: look(*given) for name, look in self.method.maps.items()})
        return fetch(run(self.variables, *self._share((observation, points))))

    @property
    def _styles(self) -> Styles:
        if self.method.styles is None:
            raise UserError("this network does not paint from styles of parts")
        return self.method.styles

    @functools.cached_property
    def frozen(self) -> Trees:
        """The weights that optimisations at test time look through, on the devices; a UserError if they are missing."""
        return self._copy(self.method.load_frozen()) if self._frozen is None else self._frozen

    def _given(self, observation: Observation, seed: int) -> tuple[Variables, Observation, Any]:
        """What a method's functions take, on the devices; of the key its seed."""
        return self.variables, self._share(observation), self._copy(np.uint32(seed % 2**32))

    def _note(self, shape: tuple[int, ...]) -> None:
        """Says so when many shapes have been asked for, for each of them is compiled."""
        if shape in self._shapes:
            return
        self._shapes.add(shape)
        if len(self._shapes) == MANY_SHAPES:
            log.warning(
                "photographs of %d shapes so far, each compiled by itself; those of equal proportions would share one",
                MANY_SHAPES,
            )

    def _jit(self, key: object, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, compiled; the one that was kept under `key` where there is one."""
        require_32_bits()
        if key not in self._compiled:
            devices = {device for leaf in jax.tree.leaves(self.variables) for device in leaf.devices()}
            program = jax.jit(function, compiler_options=compiler_options([*devices]))
            self._compiled[key] = tells_of_compiling("the network", program)
        return self._compiled[key]

    def _advance(self, index: Any) -> None:
        del index
        self._bar.update()


def _with_key(given: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments with the key of the seed that comes last."""
    *others, seed = given
    return *others, jax.random.key(seed)


Seen = TypeVar("Seen")  # a tree of arrays [B,...], such as an Observation


def predict_each(seen: Sequence[Seen], predict: Callable[[Seen], Array], batch_size: int) -> list[np.ndarray]:
    """A prediction [h',w',3] for each of `seen`, batches of one on the host, in order.

    Those of one shape share batches, and a batch that is not full is filled up with copies: a network's arithmetic may
    differ in the last bits between batch sizes, and no result shall depend on how many others there were. `predict`
    runs on the device: a batch -> [B,h',w',3].
    """
    shapes: defaultdict[tuple[tuple[int, ...], ...], list[int]] = defaultdict(list)
    for index, one in enumerate(seen):
        shapes[tuple(leaf.shape for leaf in jax.tree.leaves(one))].append(index)
    found: dict[int, np.ndarray] = {}
    for indices in shapes.values():
        for start in range(0, len(indices), batch_size):
            some = indices[start : start + batch_size]
            full = some + some[-1:] * (batch_size - len(some))
            batch = jax.tree.map(lambda *each: np.concatenate(each), *[seen[k] for k in full])
            found.update(zip(some, np.asarray(predict(batch))))
    return [found[index] for index in range(len(seen))]
