"""The toolkit's own definitions, over 8-bit RGB.

`standard`: what every table shows, as MAT (Li et al. 2022) and mmagic measure it. SSIM has the window, constants and
borders of its authors (Wang et al. 2004), but for their conversion to grey.
`reflected`: SSIM with that window around every pixel and pictures reflected at their borders, as torchmetrics, kornia
  and ignite have it by default; in `standard` pixels near the border are the centre of no window.
`hole_only`: the same over the hole alone: numbers that do not rise with what was never missing. Its SSIM is of the
  `reflected` kind: of windows inside the image, those of a hole at the border would be few, or none and so perfect.
`checks`: what users complain about: seams and colours that are off.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from scan_jax.core.types import Array
from scan_jax.metrics import pixels
from scan_jax.metrics.api import AnyMetric, Metric, PooledMetric, of_hole, of_images
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


def _everywhere(x: Array, y: Array) -> Array:
    """1 minus the similarity around every pixel: [B,H,W,3] twice -> [B,H,W,3]. The border's own pixels occur once."""
    if min(x.shape[1:3]) <= RIM:
        height, width = x.shape[1:3]
        raise ValueError(f"SSIM needs images of at least {RIM + 1}x{RIM + 1} pixels here, not {height}x{width}")
    rim = ((0, 0), (RIM, RIM), (RIM, RIM), (0, 0))
    return pixels.dissimilarity(jnp.pad(x, rim, "reflect"), jnp.pad(y, rim, "reflect"), GAUSSIAN, RANGE)


def _hole_ssim(x: Array, y: Array, hole: Array) -> Array:
    return 1 - _mean_in_hole(_everywhere(x, y), hole)


def _hole_mae(x: Array, y: Array, hole: Array) -> Array:
    return 100 * _mean_in_hole(jnp.abs(x - y), hole) / RANGE


def _mae(x: Array, y: Array) -> Array:
    return 100 * (mean(jnp.abs(x - y)) / RANGE)


def pooled_psnr(scores: np.ndarray) -> float:
    """PSNR of the mean error of images of one size, from the PSNR [n] of each; one infinite score is an error of 0."""
    with np.errstate(divide="ignore"):  # all are infinite
        return float(-10 * np.log10(np.mean(10 ** (scores.astype(np.float64) / -10))))


WINDOWS = "SSIM per RGB channel, Gaussian 11 sigma 1.5, valid windows"
REFLECTED = "SSIM per RGB channel, Gaussian 11 sigma 1.5, reflected borders, every pixel"
CENTRED = f"{REFLECTED} of the hole"
POOLED = "PSNR over RGB, range 255, of the mean error of all images, completions alone"
IN_HOLE = "PSNR over RGB in the hole, range 255, mean over images"
JUMPS = "mean excess of the jumps across the hole's border over the photograph's; below 0 is a blurred border"
COLOURS = "CIE76 difference of the hole's mean colours, means in CIELAB"
METRICS: Mapping[str, Metric] = {
    "psnr": rgb_psnr("PSNR over RGB, range 255, mean over images"),
    "ssim": rgb_ssim(GAUSSIAN, WINDOWS),
    "mae": Metric(of_images(_mae), "MAE", "lower", "%", 2, "MAE over RGB and all pixels, in % of the range"),
}
POOLED_PSNR = PooledMetric("standard/psnr", pooled_psnr, "Pooled PSNR", "higher", "dB", 2, POOLED)
OVER_ALL = of_images(lambda x, y: 1 - mean(_everywhere(x, y)))
HOLE_ONLY: Mapping[str, Metric] = {
    "psnr": Metric(of_hole(_hole_psnr), "PSNR in hole", "higher", "dB", 2, IN_HOLE),
    "ssim": Metric(of_hole(_hole_ssim), "SSIM in hole", "higher", "", 4, CENTRED, least_side=RIM + 1),
    "mae": Metric(of_hole(_hole_mae), "MAE in hole", "lower", "%", 2, "MAE over RGB in the hole, in % of the range"),
}
CHECKS: Mapping[str, Metric] = {
    "seam": Metric(of_hole(pixels.seam), "Seam", "zero", "levels", 2, JUMPS),
    "colour_shift": Metric(of_hole(pixels.colour_shift), "Colour shift", "lower", "Delta E", 2, COLOURS),
}


GROUPS: Mapping[str, Mapping[str, AnyMetric]] = {
    "standard": {"psnr": METRICS["psnr"], "psnr_pooled": POOLED_PSNR, **METRICS},
    "reflected": {"ssim": Metric(OVER_ALL, "SSIM", "higher", "", 4, REFLECTED, least_side=RIM + 1)},
    "hole_only": HOLE_ONLY,
    "checks": CHECKS,
}


def open_metrics(group: str) -> Mapping[str, AnyMetric]:
    """Those of one group, by name."""
    return GROUPS[group]
