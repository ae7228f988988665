"""The metrics that every table shows: over 8-bit RGB, as MAT (Li et al. 2022) and mmagic measure them.

SSIM has the window, constants and borders of its authors (Wang et al. 2004), but for their conversion to grey.
"""

from __future__ import annotations

from collections.abc import Mapping

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric, of_images
from scan_jax.metrics.pixel_errors import RANGE, levels, mae, psnr
from scan_jax.metrics.ssim import GAUSSIAN, ssim


def _psnr(image: Array, photograph: Array) -> Array:
    return psnr(levels(image), levels(photograph), RANGE)


def _ssim(image: Array, photograph: Array) -> Array:
    return ssim(levels(image), levels(photograph), GAUSSIAN, RANGE)


def _mae(image: Array, photograph: Array) -> Array:
    return 100 * mae(levels(image), levels(photograph), RANGE)


METRICS: Mapping[str, Metric] = {
    "psnr": Metric(of_images(_psnr), "PSNR", "higher", "dB", 2, "PSNR over RGB, range 255, mean over images"),
    "ssim": Metric(
        of_images(_ssim),
        "SSIM",
        "higher",
        "",
        4,
        "SSIM per RGB channel, Gaussian 11 sigma 1.5, valid windows",
        least_side=GAUSSIAN.side,
    ),
    "mae": Metric(of_images(_mae), "MAE", "lower", "%", 2, "MAE over RGB and all pixels, in % of the range"),
}


def open_metrics() -> Mapping[str, Metric]:
    """psnr, ssim, mae."""
    return METRICS
