"""What a step computes again in its backward pass rather than keep in memory."""

from __future__ import annotations

from typing import Any, Literal

import jax

from scan_jax.methods.api import TurnLoss

Remat = Literal["nothing", "activations"]
KEPT = ("conv_general_dilated", "dot_general")  # JAX's primitives whose results cost more to compute than to keep


def rematerialise(loss: TurnLoss, what: Remat) -> TurnLoss:
    """`loss`, whose gradient keeps less.

    Args:
      loss: of a turn.
      what: "nothing" is `loss` itself; "activations" keeps the results of convolutions and products alone, and computes
        normalisations, activation functions and all else from them once more.
    """
    return loss if what == "nothing" else jax.checkpoint(loss, policy=_is_kept)  # type: ignore[return-value]


def _is_kept(primitive: Any, *_: Any, **__: Any) -> bool:
    """JAX's question for each operation."""
    return primitive.name in KEPT
