"""What a metric is, and where to find those of a paper.

The module of a group of definitions has `open_metrics()`, which returns them by name, so that "edge_connect/psnr" is
one column of a table and "standard/psnr" another.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core import registry
from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.types import Array

log = logging.getLogger(__name__)
GROUPS = {
    "checks": "scan_jax.metrics.checks",
    "edge_connect": "scan_jax.metrics.edge_connect",
    "hole_only": "scan_jax.metrics.hole_only",
    "inception": "scan_jax.metrics.inception",
    "lama": "scan_jax.metrics.lama",
    "lpips": "scan_jax.metrics.lpips",
    "masked_attention": "scan_jax.metrics.masked_attention",
    "region_norm": "scan_jax.metrics.region_norm",
    "squeezenet": "scan_jax.metrics.squeezenet",
    "standard": "scan_jax.metrics.standard",
}
Tree = Any  # a nested dict of arrays
Better = Literal["higher", "lower", "zero"]


@dataclasses.dataclass(frozen=True)
class Metric:
    """What one filled image is worth against its photograph.

    Attributes:
      measure: (parameters, image [B,H,W,3], photograph [B,H,W,3], known [B,H,W,1]) -> [B]; images are 8-bit ones as
        floats in [0, 1]. Pure, may be jitted; an image's value does not depend on the others of its batch.
      title: as a table's head has it, such as "PSNR".
      better: which direction is the better one; "zero" where both sides of it are errors.
      unit: as printed beside the title, or empty.
      decimals: how many a table shows.
      definition: one clause that tells it from other papers' metrics of that title.
      parameters: the arrays that `measure` needs besides, such as a network's weights.
      least_side: pixels that height and width need, such as a window's; `measure` raises ValueError below it.
    """

    measure: Callable[[Tree, Array, Array, Array], Array]
    title: str
    better: Better
    unit: str
    decimals: int
    definition: str
    parameters: Tree = None
    least_side: int = 1

    def __call__(self, image: Array, photograph: Array, known: Array) -> Array:
        """[B,H,W,3], [B,H,W,3], [B,H,W,1] -> [B]."""
        return self.measure(self.parameters, image, photograph, known)


@dataclasses.dataclass(frozen=True)
class Embedding:
    """A network that turns images into vectors, for the metrics of whole sets.

    Attributes:
      name: such as "inception_v3"; metrics of equal names share its vectors.
      embed: (parameters, image [B,H,W,3] in [0, 1]) -> [B,D]; pure, may be jitted.
      parameters: the network's weights.
    """

    name: str
    embed: Callable[[Tree, Array], Array]
    parameters: Tree


@dataclasses.dataclass(frozen=True)
class SetMetric:
    """What a set of filled images is worth against the set of their photographs.

    Attributes:
      distance: (vectors of the photographs float64 [N,D], of the filled images [N,D], in the same order) -> a number;
        deterministic.
      embedding: makes the vectors.
      least: images that it needs; fewer are refused.
      least_side: pixels that height and width need at least, as of `Metric`.
      title, better, unit, decimals, definition: as those of `Metric`.
    """

    distance: Callable[[np.ndarray, np.ndarray], float]
    embedding: Embedding
    least: int
    title: str
    better: Better
    unit: str
    decimals: int
    definition: str
    least_side: int = 1


AnyMetric = Metric | SetMetric


def names() -> list[str]:
    """All groups of definitions."""
    return list(GROUPS)


def collect_metrics(wanted: Iterable[str], where: str = "--metrics") -> dict[str, AnyMetric]:
    """Metrics by their full names, such as "edge_connect/psnr".

    Args:
      wanted: groups such as "standard", or single metrics such as "inception/fid"; a group whose weights were never
        imported is left out, and the log says how to get it.
      where: what named them, for messages.

    Raises:
      UserError: there is no such group or metric.
    """
    found: dict[str, AnyMetric] = {}
    for name in wanted:
        group, _, single = name.partition("/")
        module = registry.find(GROUPS, group, where)
        try:
            metrics: Mapping[str, AnyMetric] = module.open_metrics()
        except UserError as error:
            if single:
                raise
            log.warning("without %s: %s", group, error)
            continue
        if single and single not in metrics:
            raise UserError(f"{where}: {group} has no {single!r}{did_you_mean(single, metrics)}")
        found |= {f"{group}/{key}": metric for key, metric in metrics.items() if single in ("", key)}
    return found


Measure = Callable[[Any, Array, Array, Array], Array]  # `Metric.measure`


def check_images(image: Array, reference: Array) -> None:
    """Refuses anything but two equal batches of float images, so that nothing is broadcast silently.

    Args:
      image: [B,H,W,C].
      reference: [B,H,W,C].

    Raises:
      ValueError: another rank, unequal shapes, or pixels that are not floating point.
    """
    if image.ndim != 4 or image.shape != reference.shape:
        raise ValueError(f"two equal batches [B,H,W,C] are needed, not {image.shape} and {reference.shape}")
    for array in (image, reference):
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise ValueError(f"pixels must be floating point in [0, 1], not {array.dtype}")


def check_known(image: Array, known: Array) -> None:
    """Refuses a `known` that does not belong to these images.

    Args:
      image: [B,H,W,3].
      known: [B,H,W,1].

    Raises:
      ValueError: another number of channels, or another shape than the images have.
    """
    if image.shape[3] != 3 or known.shape != (*image.shape[:3], 1):
        raise ValueError(f"images [B,H,W,3] and known [B,H,W,1] are needed, not {image.shape} and {known.shape}")


def of_images(function: Callable[[Array, Array], Array]) -> Measure:
    """A function of image and photograph, [B,H,W,3] twice -> [B], as `Metric.measure`: checked and jitted."""
    return of_hole(lambda image, photograph, hole: function(image, photograph))


def of_hole(function: Callable[[Array, Array, Array], Array]) -> Measure:
    """A function of image, photograph and hole, [B,H,W,1] bool, as `Metric.measure`: checked and jitted."""

    @jax.jit
    def measure(parameters: Any, image: Array, photograph: Array, known: Array) -> Array:
        check_images(image, photograph)
        check_known(image, known)
        return function(image, photograph, known <= 0.5)

    return measure


GROUP = 64  # terms added one after the other


def total(x: Array) -> Array:
    """Sum over everything but the first axis, in groups of groups: [B,...] -> [B] float32.

    A running sum of a million terms loses the sixth digit; here an error grows with the logarithm of their number.
    """
    x = x.astype(jnp.float32).reshape(x.shape[0], math.prod(x.shape[1:]))  # [B,N]
    while x.shape[1] > 1:
        group = min(GROUP, x.shape[1])
        x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % group)))  # [B,group*M]
        x = x.reshape(x.shape[0], group, x.shape[1] // group).sum(axis=1)  # [B,M]
    return x.sum(axis=1)  # of one, or of nothing


def mean(x: Array) -> Array:
    """Mean over everything but the first axis: [B,...] -> [B] float32."""
    return total(x) / math.prod(x.shape[1:])
