"""The metrics of EdgeConnect (Nazeri et al. 2019), over grey images in [0, 1].

Source: `scripts/metrics.py` of its public repository, which calls scikit-image's `rgb2gray`, `compare_psnr` and
`compare_ssim`. It computes in float32; so does this, but exactly up to the window means.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric, of_images, total
from scan_jax.metrics.pixel_errors import GREY_RANGE, grey, psnr
from scan_jax.metrics.ssim import ssim, uniform

WINDOW = uniform(51)


def _psnr(image: Array, photograph: Array) -> Array:
    return psnr(grey(image), grey(photograph), GREY_RANGE)


def _ssim(image: Array, photograph: Array) -> Array:
    return ssim(grey(image), grey(photograph), WINDOW, GREY_RANGE)


def _mae(image: Array, photograph: Array) -> Array:
    x, y = grey(image), grey(photograph)  # [B,H,W,1]
    return total(jnp.abs(x - y)) / jnp.maximum(total(x + y), 1)  # two black images have no error


METRICS: Mapping[str, Metric] = {
    "psnr": Metric(of_images(_psnr), "PSNR", "higher", "dB", 2, "PSNR over grey in [0, 1], infinite if identical"),
    "ssim": Metric(
        of_images(_ssim),
        "SSIM",
        "higher",
        "",
        4,
        "SSIM over grey, uniform 51, sample covariance",
        least_side=WINDOW.side,
    ),
    "mae": Metric(of_images(_mae), "MAE", "lower", "", 4, "sum |a - b| / sum (a + b) over grey, no mean"),
}


def open_metrics() -> Mapping[str, Metric]:
    """psnr, ssim, mae."""
    return METRICS
