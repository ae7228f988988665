"""The metrics that every table shows, with what a reader must know to compare them with another paper's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

from scan_jax.metrics.mae import mae
from scan_jax.metrics.psnr import psnr
from scan_jax.metrics.ssim import ssim
from scan_jax.types import Array


@dataclasses.dataclass(frozen=True)
class Metric:
    """A full-reference metric: called with two batches [B,H,W,3] in [0, 1], it returns [B].

    Attributes:
      function: the metric itself.
      better: which direction is the better one.
      unit: as printed beside the name, or empty.
      decimals: how many a table shows.
      definition: one clause that tells it from other papers' metrics of that name.
    """

    function: Callable[[Array, Array], Array]
    better: Literal["higher", "lower"]
    unit: str
    decimals: int
    definition: str

    def __call__(self, image: Array, reference: Array) -> Array:
        """[B,H,W,3], [B,H,W,3] -> [B]."""
        return self.function(image, reference)


METRICS: Mapping[str, Metric] = {
    "psnr": Metric(psnr, "higher", "dB", 2, "PSNR over RGB, range 255, mean over images"),
    "ssim": Metric(ssim, "higher", "", 4, "SSIM per RGB channel, Gaussian 11 sigma 1.5, valid windows"),
    "mae": Metric(mae, "lower", "%", 2, "MAE over RGB and all pixels, in % of the range"),
}
