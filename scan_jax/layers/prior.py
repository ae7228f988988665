"""What a network knows of a hole before it has learned anything: smooth fillings that need no training."""

from __future__ import annotations

import math
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.ops.smooth_fill import biharmonic_fill, harmonic_fill

Filling = Literal["harmonic", "biharmonic", "both"]
HARMONIC_CYCLES, BIHARMONIC_CYCLES = 2, 4  # not to the end: a network corrects what they leave
FIRST_SHARE = 0.88  # of the biharmonic filling; learned from there


class Prior(nn.Module):
    """The harmonic filling, the biharmonic one, or a blend of both whose share is learned.

    Attributes:
      filling: which.
    """

    filling: Filling

    @nn.compact
    def __call__(self, image: Array, known: Array) -> tuple[Array, Array]:
        """Fills the hole from known pixels alone.

        Args:
          image: [B,H,W,3].
          known: [B,H,W,1].

        Returns:
          The filled image [B,H,W,3], and what else there is to see, [B,H,W,0 or 3]: with "both", how far the two
          equations are apart, which says where the hole is hard to guess.
        """
        image, known = image.astype(jnp.float32), known.astype(jnp.float32)
        if self.filling == "harmonic":
            filled = harmonic_fill(image, known, HARMONIC_CYCLES)
            return filled, filled[..., :0]
        filled = biharmonic_fill(image, known, BIHARMONIC_CYCLES)
        if self.filling == "biharmonic":
            return filled, filled[..., :0]
        apart = filled - harmonic_fill(image, known, HARMONIC_CYCLES)  # [B,H,W,3]
        share = self.param("share", nn.initializers.constant(math.log(FIRST_SHARE / (1 - FIRST_SHARE))), (1,))
        return filled - (1 - jax.nn.sigmoid(share))[None, None, None] * apart, apart
