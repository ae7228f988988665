"""The definitions of four papers, each as the program that was published with it computes them.

`edge_connect` (Nazeri et al. 2019), over grey: `scripts/metrics.py` of its public repository, which calls
  scikit-image's `rgb2gray`, `compare_psnr` and `compare_ssim`. It computes in float32; so does this, but exactly up to
  the window means.
`region_norm` (Yu et al. 2020), over 8-bit RGB: `eval.py` of its public repository, which calls scikit-image's
  `compare_psnr` and `compare_ssim`. It cuts predictions off to 8 bits; here they are rounded (about 0.02 dB).
`masked_attention` (the second paper's Tables I-III), over 8-bit RGB: `metrics/psnr.py` (OpenCV's tutorial) and
  `iter.py` of its public repository, which calls scikit-image's `structural_similarity` with its defaults per channel.
  Of identical images the repository has a PSNR of 0 and `cv2.PSNR` 361.2 dB (it adds the machine's epsilon to the
  error); here it is infinite.
`lama` (Suvorov et al. 2022), over RGB: `saicinpainting/evaluation/losses/ssim.py` of its public repository, the
  Gaussian window around every pixel, and black around the image. The border is black in both, a perfect match, so
  values are above those of `standard`.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric, of_images
from scan_jax.metrics.pixels import GAUSSIAN, GREY_RANGE, RANGE, grey, mean, psnr, ssim, total, uniform
from scan_jax.metrics.standard import RIM, rgb_psnr, rgb_ssim


def _grey_psnr(x: Array, y: Array) -> Array:
    return psnr(grey(x), grey(y), GREY_RANGE)


def _grey_ssim(x: Array, y: Array) -> Array:
    return ssim(grey(x), grey(y), uniform(51), GREY_RANGE)


def _grey_mae(image: Array, photograph: Array) -> Array:
    x, y = grey(image), grey(photograph)  # [B,H,W,1]
    return total(jnp.abs(x - y)) / jnp.maximum(total(x + y), 1)  # two black images have no error


def _l1(x: Array, y: Array) -> Array:
    difference = (x - y).sum(axis=3)  # [B,H,W]: errors of opposite sign cancel
    return mean(jnp.abs(difference)) / (3 * RANGE)


def _padded_ssim(image: Array, photograph: Array) -> Array:
    rim = ((0, 0), (RIM, RIM), (RIM, RIM), (0, 0))  # black
    return ssim(jnp.pad(image, rim), jnp.pad(photograph, rim), GAUSSIAN, RANGE)  # of [B,H+10,W+10,3]


GREY_SSIM, PADDED = "SSIM over grey, uniform 51, sample covariance", "Gaussian 11 sigma 1.5, zero padding"
GROUPS: Mapping[str, Mapping[str, Metric]] = {
    "edge_connect": {
        "psnr": Metric(
            of_images(_grey_psnr), "PSNR", "higher", "dB", 2, "PSNR over grey in [0, 1], infinite if identical"
        ),
        "ssim": Metric(of_images(_grey_ssim), "SSIM", "higher", "", 4, GREY_SSIM, least_side=51),
        "mae": Metric(of_images(_grey_mae), "MAE", "lower", "", 4, "sum |a - b| / sum (a + b) over grey, no mean"),
    },
    "region_norm": {
        "psnr": rgb_psnr("PSNR over RGB, range 255, mean over images"),
        "ssim": rgb_ssim(uniform(11), "SSIM per RGB channel, uniform 11, sample covariance"),
        "mae": Metric(of_images(_l1), "L1", "lower", "", 4, "mean |difference of the channel means| / 255"),
    },
    "masked_attention": {
        "psnr": rgb_psnr("PSNR over RGB, range 255, infinite if identical"),
        "ssim": rgb_ssim(uniform(7), "SSIM per RGB channel, uniform 7, sample covariance"),
    },
    "lama": {"ssim": Metric(of_images(_padded_ssim), "SSIM", "higher", "", 4, f"SSIM per RGB channel, {PADDED}")},
}


def open_metrics(group: str) -> Mapping[str, Metric]:
    """Those of one paper, by name."""
    return GROUPS[group]
