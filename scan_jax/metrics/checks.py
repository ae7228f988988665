"""What users complain about: seams and colours that are off."""

from __future__ import annotations

from collections.abc import Mapping

from scan_jax.core.types import Array
from scan_jax.metrics.api import Metric
from scan_jax.metrics.arguments import of_hole
from scan_jax.metrics.colour import colour_shift
from scan_jax.metrics.levels import levels
from scan_jax.metrics.seam import seam


def _seam(image: Array, photograph: Array, hole: Array) -> Array:
    return seam(levels(image), levels(photograph), hole)


def _colour_shift(image: Array, photograph: Array, hole: Array) -> Array:
    return colour_shift(levels(image), levels(photograph), hole)


METRICS: Mapping[str, Metric] = {
    "seam": Metric(
        of_hole(_seam),
        "Seam",
        "zero",
        "levels",
        2,
        "mean excess of the jumps across the hole's border over the photograph's; below 0 is a blurred border",
    ),
    "colour_shift": Metric(
        of_hole(_colour_shift),
        "Colour shift",
        "lower",
        "Delta E",
        2,
        "CIE76 difference of the hole's mean colours, means in CIELAB",
    ),
}


def open_metrics() -> Mapping[str, Metric]:
    """seam, colour_shift."""
    return METRICS
