"""The toolkit's own definitions, over 8-bit RGB.

`standard`: what every table shows, as MAT (Li et al. 2022) and mmagic measure it. SSIM has the window, constants and
borders of its authors (Wang et al. 2004), but for their conversion to grey.
`hole_only`: the same over the hole alone: numbers that do not rise with what was never missing.
`checks`: what users complain about: seams and colours that are off.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.metrics import pixels
from scan_jax.metrics.api import Metric, of_hole, of_images
from scan_jax.metrics.pixels import GAUSSIAN, RANGE, Window, mean, total

RIM = GAUSSIAN.side // 2  # pixels on each side that are the centre of no window


def rgb_psnr(definition: str) -> Metric:
    """PSNR over all channels."""
    return Metric(of_images(lambda x, y: pixels.psnr(x, y, RANGE)), "PSNR", "higher", "dB", 2, definition)


def rgb_ssim(window: Window, definition: str) -> Metric:
    """SSIM per channel, windows inside the image."""
    measure = of_images(lambda x, y: pixels.ssim(x, y, window, RANGE))
    return Metric(measure, "SSIM", "higher", "", 4, definition, least_side=window.side)


def _mean_in_hole(x: Array, hole: Array) -> Array:
    """Mean over the hole's pixels and all channels: [B,H,W,3], [B,H,W,1] -> [B]; 0 without a hole."""
    return total(jnp.where(hole, x, 0)) / (3 * jnp.maximum(total(hole), 1))


def _hole_psnr(x: Array, y: Array, hole: Array) -> Array:
    return pixels.decibels(_mean_in_hole(jnp.square(x - y), hole) / RANGE**2)


def _hole_ssim(x: Array, y: Array, hole: Array) -> Array:
    unlike = pixels.dissimilarity(x, y, GAUSSIAN, RANGE)  # [B,H-10,W-10,3]
    return 1 - _mean_in_hole(unlike, hole[:, RIM:-RIM, RIM:-RIM])


def _hole_mae(x: Array, y: Array, hole: Array) -> Array:
    return 100 * _mean_in_hole(jnp.abs(x - y), hole) / RANGE


def _mae(x: Array, y: Array) -> Array:
    return 100 * (mean(jnp.abs(x - y)) / RANGE)


WINDOWS = "SSIM per RGB channel, Gaussian 11 sigma 1.5, valid windows"
CENTRED = f"{WINDOWS} with their centre in the hole"
IN_HOLE = "PSNR over RGB in the hole, range 255, mean over images"
JUMPS = "mean excess of the jumps across the hole's border over the photograph's; below 0 is a blurred border"
COLOURS = "CIE76 difference of the hole's mean colours, means in CIELAB"
METRICS: Mapping[str, Metric] = {
    "psnr": rgb_psnr("PSNR over RGB, range 255, mean over images"),
    "ssim": rgb_ssim(GAUSSIAN, WINDOWS),
    "mae": Metric(of_images(_mae), "MAE", "lower", "%", 2, "MAE over RGB and all pixels, in % of the range"),
}
HOLE_ONLY: Mapping[str, Metric] = {
    "psnr": Metric(of_hole(_hole_psnr), "PSNR in hole", "higher", "dB", 2, IN_HOLE),
    "ssim": Metric(of_hole(_hole_ssim), "SSIM in hole", "higher", "", 4, CENTRED, least_side=GAUSSIAN.side),
    "mae": Metric(of_hole(_hole_mae), "MAE in hole", "lower", "%", 2, "MAE over RGB in the hole, in % of the range"),
}
CHECKS: Mapping[str, Metric] = {
    "seam": Metric(of_hole(pixels.seam), "Seam", "zero", "levels", 2, JUMPS),
    "colour_shift": Metric(of_hole(pixels.colour_shift), "Colour shift", "lower", "Delta E", 2, COLOURS),
}


def open_metrics(group: str) -> Mapping[str, Metric]:
    """Those of `standard`, `hole_only` or `checks`."""
    return {"standard": METRICS, "hole_only": HOLE_ONLY, "checks": CHECKS}[group]
