"""Holes from several sources, each with its share."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scan_jax.core import registry
from scan_jax.core.bounds import Ratios
from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.masks.api import SOURCES, HoleSource, HoleSplits, open_holes
from scan_jax.masks.ratio import Bucket

WEIGHTS = {"free_form": 0.5, "strokes": 0.3, "rectangles": 0.2}


@dataclasses.dataclass(frozen=True)
class Mixture:
    """`config.holes` of a mixture."""

    # the share of each source by its name; they need not add up to 1
    weights: Mapping[str, float] = dataclasses.field(default_factory=lambda: dict(WEIGHTS))
    ratio: Ratios = (0.1, 0.6)  # (low, high] of every part
    # further settings of a part by its name, such as {"mask_folder": {"path": "masks"}}
    parts: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def open_splits(self) -> HoleSplits:
        """The mixture of each part's splits; a UserError where a weight, a name or a part's setting makes no sense."""
        # Saved configs come back with their keys sorted: the order given must not matter.
        names = sorted(name for name, weight in self.weights.items() if _checked(name, weight) > 0)
        if not names:
            raise UserError("config.holes.weights names no source with a share; give some, such as " + str(WEIGHTS))
        for name in self.parts:
            if name not in self.weights:
                raise UserError(f"config.holes.parts.{name} has no weight{did_you_mean(name, names)}")
        opened = [open_holes({"ratio": self.ratio, **self.parts.get(name, {}), "name": name}) for name in names]
        mix = functools.partial(MixedHoles, Bucket(*self.ratio), tuple(self.weights[name] for name in names))
        train, held_out = zip(*((splits.train, splits.held_out) for splits in opened))
        return HoleSplits(mix(train), mix(held_out))


def _checked(name: str, weight: float) -> float:
    """`weight`, where it and its name make sense."""
    if name == "mixture":
        raise UserError("config.holes.weights names mixture, but a mixture cannot hold itself; name its parts")
    registry.find(SOURCES, name, "config.holes.weights")
    return weight


@dataclasses.dataclass(frozen=True)
class MixedHoles:
    """A `HoleSource` that lets chance, weighed, pick a part for each hole."""

    limits: Bucket
    weights: tuple[float, ...]
    parts: tuple[HoleSource, ...]

    @property
    def description(self) -> str:
        """One line for logs and reports."""
        total = sum(self.weights)
        return "; ".join(f"{weight / total:.0%} {part.description}" for part, weight in zip(self.parts, self.weights))

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A hole of one part, bool [size,size]; the part is drawn first."""
        _try_all(self, size)
        shares = list(itertools.accumulate(self.weights))
        chosen = bisect.bisect_right(shares, rng.random() * shares[-1])
        return self.parts[min(chosen, len(self.parts) - 1)].draw(rng, size)

    def fixed(self, size: int, bucket: Bucket, count: int, seed: int) -> np.ndarray:
        """`count` holes of the bucket, bool [count,size,size], shared out by weight among the parts that reach it.

        Fewer only where every part that reaches the bucket has a fixed stock and it is used up.
        """
        if count <= 0:  # all that parts with a fixed stock have, and as many as usual of each generator
            return np.concatenate([part.fixed(size, bucket, count, seed) for part in self.parts])
        stock = [count] * len(self.parts)  # what each part can give; less once it is known to
        while True:
            order = share_out(self.weights, stock, count)
            wanted = [order.count(i) for i in range(len(self.parts))]
            given = [part.fixed(size, bucket, n, seed) if n else () for part, n in zip(self.parts, wanted)]
            short = [i for i, holes in enumerate(given) if len(holes) < wanted[i]]
            if not short:
                break
            stock = [len(given[i]) if i in short else stock[i] for i in range(len(stock))]
        queues = list(map(iter, given))
        holes = [next(queues[i]) for i in order]
        return np.stack(holes) if holes else np.zeros((0, size, size), np.bool_)


def share_out(weights: Sequence[float], stock: Sequence[int], count: int) -> list[int]:
    """Which part gives hole 0, 1, 2, ...: each time the one furthest behind its share, so that shares are exact.

    Weights are positive, of any sum; no part gives more than its stock. The beginning does not depend on `count`.
    """
    left, given, order = list(stock), [0] * len(weights), list[int]()
    while len(order) < count and any(left):
        # Whoever would, after this hole, be least above its share; the first of equals.
        part = min((i for i in range(len(weights)) if left[i]), key=lambda i: (given[i] + 1) / weights[i])
        order.append(part)
        given[part] += 1
        left[part] -= 1
    return order


@functools.lru_cache(8)
def _try_all(mixture: MixedHoles, size: int) -> None:
    """Draws from each part, so that one that refuses does so at once and not after hours, when its turn comes."""
    for part in mixture.parts:
        part.draw(np.random.default_rng(0), size)
