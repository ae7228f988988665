"""`standard`, over the hole alone: numbers that do not rise with what was never missing."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric, of_hole, total
from scan_jax.metrics.pixel_errors import RANGE, decibels, levels
from scan_jax.metrics.ssim import GAUSSIAN, dissimilarity

RIM = GAUSSIAN.side // 2  # pixels on each side that are the centre of no window


def _mean_in_hole(x: Array, hole: Array) -> Array:
    """Mean over the hole's pixels and all channels: [B,H,W,3], [B,H,W,1] -> [B]; 0 without a hole."""
    return total(jnp.where(hole, x, 0)) / (3 * jnp.maximum(total(hole), 1))


def _psnr(image: Array, photograph: Array, hole: Array) -> Array:
    return decibels(_mean_in_hole(jnp.square(levels(image) - levels(photograph)), hole) / RANGE**2)


def _ssim(image: Array, photograph: Array, hole: Array) -> Array:
    unlike = dissimilarity(levels(image), levels(photograph), GAUSSIAN, RANGE)  # [B,H-10,W-10,3]
    return 1 - _mean_in_hole(unlike, hole[:, RIM:-RIM, RIM:-RIM])


def _mae(image: Array, photograph: Array, hole: Array) -> Array:
    return 100 * _mean_in_hole(jnp.abs(levels(image) - levels(photograph)), hole) / RANGE


METRICS: Mapping[str, Metric] = {
    "psnr": Metric(
        of_hole(_psnr),
        "PSNR in hole",
        "higher",
        "dB",
        2,
        "PSNR over RGB in the hole, range 255, mean over images",
    ),
    "ssim": Metric(
        of_hole(_ssim),
        "SSIM in hole",
        "higher",
        "",
        4,
        "SSIM per RGB channel, Gaussian 11 sigma 1.5, valid windows with their centre in the hole",
        least_side=GAUSSIAN.side,
    ),
    "mae": Metric(of_hole(_mae), "MAE in hole", "lower", "%", 2, "MAE over RGB in the hole, in % of the range"),
}


def open_metrics() -> Mapping[str, Metric]:
    """psnr, ssim, mae."""
    return METRICS
