"""One batch for both sides, and how each takes a step on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from scan_jax.core.types import Example
from scan_jax.methods.api import build_method
from scan_jax.training.step import initial_state, make_step
from scan_jax.training.trainer import updates_in

Step = Callable[[], None]
LEARNING_RATE, B1, B2 = 1e-4, 0.0, 0.9


@dataclasses.dataclass(frozen=True)
class Batch:
    """Photographs of noise, a hole, and edges, in NumPy.

    Attributes:
      image: [B,S,S,3] in [0, 1].
      known: [B,S,S,1].
      edges: [B,S,S,1], 0 or 1.
    """

    image: np.ndarray
    known: np.ndarray
    edges: np.ndarray

    @classmethod
    def draw(cls, count: int, side: int) -> Batch:
        """The same for the same arguments."""
        rng = np.random.default_rng(0)
        known = np.ones((count, side, side, 1), np.float32)
        known[:, side // 4 : 3 * side // 4, side // 6 : side // 2] = 0
        edges = (rng.random((count, side, side, 1)) > 0.9).astype(np.float32)
        return cls(rng.random((count, side, side, 3), np.float32), known, edges)


def our_step(section: Mapping[str, Any], phase: str, batch: Batch) -> Step:
    """A step of a phase as the trainer compiles it.

    Args:
      section: a config's `method`.
      phase: of the method; empty where it has none.
      batch: to train on.
    """
    method = build_method(section)
    updates = updates_in(method.updates, phase)
    optimizers = {update.name: optax.adam(LEARNING_RATE, B1, B2) for update in updates}
    example = Example(jnp.asarray(batch.image), jnp.asarray(batch.known))
    state = jax.jit(lambda key: initial_state(method, optimizers, example, key))(jax.random.key(0))
    step = jax.jit(make_step(updates, optimizers, 0.999), donate_argnums=0)

    def take() -> None:
        nonlocal state
        state, _ = step(state, {}, example, jax.random.key(1))
        jax.block_until_ready(state)

    return take


def as_torch(values: np.ndarray) -> torch.Tensor:
    """[B,H,W,C] -> [B,C,H,W]."""
    return torch.tensor(values.transpose(0, 3, 1, 2).copy())


def adam(network: torch.nn.Module) -> torch.optim.Optimizer:
    """PyTorch's Adam with the settings of `our_step`."""
    return torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=(B1, B2))


def on_device(step: Step, device: str, dtype: str) -> Step:
    """PyTorch's step at this type, which ends when the device has done it."""

    def take() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
            step()
        if device == "cuda":
            torch.cuda.synchronize()

    return take
