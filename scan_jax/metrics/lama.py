"""The structural similarity of LaMa's evaluation (Suvorov et al. 2022), over RGB in [0, 1].

Source: `saicinpainting/evaluation/losses/ssim.py` of its public repository: the Gaussian window around every pixel, and
black around the image. The border is black in both images, a perfect match, so values are above those of `standard`.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric, of_images
from scan_jax.metrics.pixel_errors import RANGE, levels
from scan_jax.metrics.ssim import GAUSSIAN, ssim

RIM = GAUSSIAN.side // 2  # black pixels on each side


def _ssim(image: Array, photograph: Array) -> Array:
    rim = ((0, 0), (RIM, RIM), (RIM, RIM), (0, 0))
    x, y = jnp.pad(levels(image), rim), jnp.pad(levels(photograph), rim)  # [B,H+10,W+10,3]
    return ssim(x, y, GAUSSIAN, RANGE)


METRICS: Mapping[str, Metric] = {
    "ssim": Metric(
        of_images(_ssim), "SSIM", "higher", "", 4, "SSIM per RGB channel, Gaussian 11 sigma 1.5, zero padding"
    ),
}


def open_metrics() -> Mapping[str, Metric]:
    """ssim."""
    return METRICS
