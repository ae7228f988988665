"""The metrics of masked self-attention (the second paper's Tables I-III), over 8-bit RGB.

Source: `metrics/pixel_errors.py` (OpenCV's tutorial) and `iter.py` of its public repository, which calls scikit-image's
`structural_similarity` with its defaults per channel. Of identical images the repository has a PSNR of 0 and `cv2.PSNR`
361.2 dB (it adds the machine's epsilon to the error); here it is infinite.
"""

from __future__ import annotations

from collections.abc import Mapping

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric, of_images
from scan_jax.metrics.pixel_errors import RANGE, levels, psnr
from scan_jax.metrics.ssim import ssim, uniform

WINDOW = uniform(7)


def _psnr(image: Array, photograph: Array) -> Array:
    return psnr(levels(image), levels(photograph), RANGE)


def _ssim(image: Array, photograph: Array) -> Array:
    return ssim(levels(image), levels(photograph), WINDOW, RANGE)


METRICS: Mapping[str, Metric] = {
    "psnr": Metric(of_images(_psnr), "PSNR", "higher", "dB", 2, "PSNR over RGB, range 255, infinite if identical"),
    "ssim": Metric(
        of_images(_ssim),
        "SSIM",
        "higher",
        "",
        4,
        "SSIM per RGB channel, uniform 7, sample covariance",
        least_side=WINDOW.side,
    ),
}


def open_metrics() -> Mapping[str, Metric]:
    """psnr, ssim."""
    return METRICS
