"""Structural similarity (Wang et al. 2004), with the authors' constants and anybody's window."""

from __future__ import annotations

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from scan_jax.core.types import Array
from scan_jax.metrics.api import mean

K1, K2 = 0.01, 0.03


def ssim(x: Array, y: Array, window: Window, span: float) -> Array:
    """Mean structural similarity over all windows inside the image and all channels.

    Equals scikit-image's `structural_similarity` with `data_range=span`, `channel_axis`, and `win_size` for uniform
    windows or `gaussian_weights=True, sigma=1.5, use_sample_covariance=False` for the Gaussian one.

    Args:
      x: [B,H,W,C], height and width at least those of the window.
      y: [B,H,W,C] likewise.
      window: its weights.
      span: the range of the values.

    Returns:
      [B] float32, at most 1.

    Raises:
      ValueError: the images are smaller than the window.
    """
    return 1 - mean(dissimilarity(x, y, window, span))


def dissimilarity(x: Array, y: Array, window: Window, span: float) -> Array:
    """1 minus the similarity in every window inside: [B,H,W,C] twice -> [B,H-side+1,W-side+1,C], in [0, 2].

    With the sum s and the difference d of the images, `mx^2 + my^2 = (ms^2 + md^2) / 2` and likewise the variances;
    `2 mx my = mx^2 + my^2 - md^2` and `2 cov(x, y) = var x + var y - var d`. So both factors of the similarity are 1
    minus a term of the difference, which is small where the images are alike.

    Args:
      x, y, window, span: as those of `ssim`.

    Raises:
      ValueError: the images are smaller than the window.
    """
    if min(x.shape[1:3]) < window.side:
        height, width = x.shape[1:3]
        raise ValueError(f"SSIM needs images of at least {window.side}x{window.side} pixels here, not {height}x{width}")
    # Float32 loses digits where a variance is the difference of two large means. Variances do not change with a shift,
    # so channels turn about their mean, rounded so that whole numbers stay whole.
    centre = jnp.round(x.mean((1, 2), keepdims=True) + y.mean((1, 2), keepdims=True))  # [B,1,1,C]
    both, difference = x + y - centre, x - y  # [B,H,W,C]
    mean_both, variance_of_both = _moments(both, window)  # [B,H-side+1,W-side+1,C]
    mean_difference, variance_of_difference = _moments(difference, window)
    squares = ((mean_both + centre) ** 2 + mean_difference**2) / 2  # mx^2 + my^2
    variances = (variance_of_both + variance_of_difference) / 2  # var x + var y
    luminance = mean_difference**2 / (squares + (K1 * span) ** 2)  # 1 - (2 mx my + C1) / (mx^2 + my^2 + C1)
    structure = variance_of_difference / (variances + (K2 * span) ** 2)  # 1 - (2 cov + C2) / (var x + var y + C2)
    return luminance + structure - luminance * structure


def _moments(x: Array, window: Window) -> tuple[Array, Array]:
    """Mean and variance in every window inside: [B,H,W,C] -> twice [B,H-side+1,W-side+1,C]."""
    means = local_mean(x, window)
    return means, window.correction * (local_mean(x * x, window) - means * means)


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
