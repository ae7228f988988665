"""Windows that structural similarity looks through, and means under them."""

from __future__ import annotations

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from scan_jax.core.types import Array


@dataclasses.dataclass(frozen=True)
class Window:
    """A square window of separable weights.

    Attributes:
      weights: along one axis; an odd number of them.
      correction: what variances under it are multiplied with: 1, or n / (n - 1) for those of a sample of n pixels.
    """

    weights: tuple[float, ...]
    correction: float = 1.0

    @property
    def side(self) -> int:
        """Pixels along one axis."""
        return len(self.weights)


def gaussian(side: int, sigma: float) -> Window:
    """Gaussian weights and plain variances, as Wang et al. (2004) have them with 11 and 1.5 pixels."""
    return Window(tuple(math.exp(-0.5 * ((i - side // 2) / sigma) ** 2) for i in range(side)))


def uniform(side: int) -> Window:
    """Equal weights and the variances of a sample, as scikit-image's `structural_similarity` has them by default."""
    return Window((1.0,) * side, side**2 / (side**2 - 1))


GAUSSIAN = gaussian(11, 1.5)


def local_mean(x: Array, window: Window) -> Array:
    """Weighted mean under every window that lies inside: [B,H,W,C] -> [B,H-side+1,W-side+1,C] float32.

    Two products with banded matrices, which every backend has fast: XLA's convolution of single channels is many times
    slower on the CPU, sums of shifted images twice as slow. Sums of whole numbers below 2^24 are exact.
    """
    rows, columns = _bands(x.shape[1], window), _bands(x.shape[2], window)  # [H-side+1,H], [W-side+1,W]
    sums = jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision=lax.Precision.HIGHEST)
    return sums / np.asarray(window.weights, np.float32).sum(dtype=float) ** 2  # of the weights as they were rounded


def _bands(length: int, window: Window) -> Array:
    """[length-side+1,length]: row i holds the weights of the window that begins at pixel i."""
    starts = np.arange(length - window.side + 1)[:, None]  # [length-side+1,1]
    bands = np.zeros((len(starts), length), np.float32)
    bands[starts, starts + np.arange(window.side)] = window.weights
    return jnp.asarray(bands)
