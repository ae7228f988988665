"""A batch in parts, one after the other: the gradient of the whole in the memory of a part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from optax.microbatching import AccumulationType, microbatch

from scan_jax.core.types import Array, Example
from scan_jax.methods.api import Aux, Trees

# As `jax.value_and_grad(turn.loss, has_aux=True)`.
GradientOf = Callable[[Trees, Trees, Trees, Example, Any, Array], tuple[tuple[Array, Aux], Trees]]
MEAN, CONCAT = AccumulationType.MEAN, AccumulationType.CONCAT
EXAMPLE, CARRIED, PART = 3, 4, 6  # the arguments of `of_part` that have a batch axis


def in_parts(gradient_of: GradientOf, parts: int) -> GradientOf:
    """The same gradient, computed in `parts` and averaged.

    Part p has the examples p, p + parts, ..., so that examples stay on their devices, and a key of its own. Every part
    begins with the statistics of before the step, whose results are averaged: a power iteration is taken once, and a
    running mean is that of all parts. What is carried to the next turn is that of the whole batch.
    """
    if parts == 1:
        return gradient_of

    def of_part(*arguments: Any) -> Any:
        *given, rng, part = arguments
        seen: Any = (*given, jax.random.fold_in(rng, part[0]))
        return gradient_of(*seen)

    def of_batch(trained: Trees, others: Trees, stats: Trees, example: Example, carried: Any, rng: Array) -> Any:
        size = example.image.shape[0]
        how: Any = (MEAN, Aux(MEAN, MEAN, CONCAT)), MEAN  # type: ignore[arg-type]
        split: Any = microbatch(of_part, (EXAMPLE, CARRIED, PART), size // parts, how)
        return split(trained, others, stats, example, carried, rng, jnp.arange(size) % parts)

    return of_batch
