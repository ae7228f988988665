"""What every package shares: what is shown to a loss, to a network, and what comes back.

Arrays are NHWC, images float32 RGB in [0, 1]; `known` is 1 where a pixel is known and 0 in the hole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax

from scan_jax.core.errors import UserError

Array = jax.Array


def require_32_bits() -> None:
    """UserError where JAX makes arrays of 64 bits: the same config would then draw and train another network."""
    if jax.dtypes.canonicalize_dtype("float64").itemsize > 4:
        cure = "unset JAX_ENABLE_X64, or in Python jax.config.update('jax_enable_x64', False)"
        raise UserError(f"JAX's 64-bit mode is on, and everything here is made for 32 bits: {cure}")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Observation:
    """All that a network may see: the hole's pixels are zero, so it cannot read what it must invent."""

    image: Array  # [B,H,W,3] in [0, 1], zero in the hole
    known: Array  # [B,H,W,1], 1 = known pixel, 0 = hole
    labels: Array | None = None  # [B,H,W] integer semantic classes, or None where there are none


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Example:
    """All that a loss or a metric may see: as `Observation`, with the whole image."""

    image: Array  # [B,H,W,3] in [0, 1], the ground truth everywhere
    known: Array  # [B,H,W,1], 1 = known pixel, 0 = hole
    labels: Array | None = None  # [B,H,W] integer semantic classes, or None

    def observe(self) -> Observation:
        """What a network may see of this example."""
        return Observation(image=self.image * self.known, known=self.known, labels=self.labels)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Prediction:
    """A network's raw output, before the known pixels are put back."""

    image: Array  # [B,H,W,3] in [0, 1]
    # Named pictures [B,H,W,3] on the way there, such as "stage 1"
    intermediates: Mapping[str, Array] = dataclasses.field(default_factory=dict)
