"""The metrics of region normalization (Yu et al. 2020), over 8-bit RGB.

Source: `eval.py` of its public repository, which calls scikit-image's `compare_psnr` and `compare_ssim`. It cuts
predictions off to 8 bits; here they are rounded (about 0.02 dB).
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric, mean, of_images
from scan_jax.metrics.pixel_errors import RANGE, levels, psnr
from scan_jax.metrics.ssim import ssim, uniform

WINDOW = uniform(11)


def _psnr(image: Array, photograph: Array) -> Array:
    return psnr(levels(image), levels(photograph), RANGE)


def _ssim(image: Array, photograph: Array) -> Array:
    return ssim(levels(image), levels(photograph), WINDOW, RANGE)


def _l1(image: Array, photograph: Array) -> Array:
    difference = (levels(image) - levels(photograph)).sum(axis=3)  # [B,H,W]: errors of opposite sign cancel
    return mean(jnp.abs(difference)) / (3 * RANGE)


METRICS: Mapping[str, Metric] = {
    "psnr": Metric(of_images(_psnr), "PSNR", "higher", "dB", 2, "PSNR over RGB, range 255, mean over images"),
    "ssim": Metric(
        of_images(_ssim),
        "SSIM",
        "higher",
        "",
        4,
        "SSIM per RGB channel, uniform 11, sample covariance",
        least_side=WINDOW.side,
    ),
    "mae": Metric(of_images(_l1), "L1", "lower", "", 4, "mean |difference of the channel means| / 255"),
}


def open_metrics() -> Mapping[str, Metric]:
    """psnr, ssim, mae."""
    return METRICS
