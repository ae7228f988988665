"""What a metric is, and where to find those of a paper.

The module of a group of definitions has `open_metrics(group)`, which returns them by name, so that "edge_connect/psnr"
is one column of a table and "standard/psnr" another.
"""

from __future__ import annotations

import dataclasses
import logging
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
HOW_TO_GET = "python -m scan_jax weights list"
GROUPS = {  # module by group
    "checks": "scan_jax.metrics.standard",
    "edge_connect": "scan_jax.metrics.papers",
    "hole_only": "scan_jax.metrics.standard",
    "inception": "scan_jax.metrics.sets",
    "lama": "scan_jax.metrics.papers",
    "lpips": "scan_jax.metrics.lpips",
    "masked_attention": "scan_jax.metrics.papers",
    "reflected": "scan_jax.metrics.standard",
    "region_norm": "scan_jax.metrics.papers",
    "squeezenet": "scan_jax.metrics.sets",
    "standard": "scan_jax.metrics.standard",
}
Tree = Any  # a nested dict of arrays
Measure = Callable[[Tree, Array, Array, Array], Array]  # `Metric.measure`
Better = Literal["higher", "lower", "zero"]


@dataclasses.dataclass(frozen=True)
class Metric:
    """What one filled image is worth against its photograph."""

    # (parameters, image uint8 [B,H,W,3], photograph uint8 [B,H,W,3], hole bool [B,H,W]) -> [B]. Pure, may be jitted; an
    # image's value does not depend on the others of its batch
    measure: Measure
    title: str  # as a table's head has it, such as "PSNR"
    better: Better  # which direction is the better one; "zero" where both sides of it are errors
    unit: str  # as printed beside the title, or empty
    decimals: int  # how many a table shows
    definition: str  # one clause that tells it from other papers' metrics of that title
    parameters: Tree = None  # the arrays that `measure` needs besides, such as a network's weights
    least_side: int = 1  # pixels that height and width need, such as a window's; `measure` raises ValueError below it

    def __call__(self, image: Array, photograph: Array, hole: Array) -> Array:
        """uint8 [B,H,W,3], uint8 [B,H,W,3], bool [B,H,W] -> [B]."""
        return self.measure(self.parameters, image, photograph, hole)


@dataclasses.dataclass(frozen=True)
class Embedding:
    """A network that turns images into vectors, for the metrics of whole sets."""

    name: str  # such as "inception_v3"; metrics of equal names share its vectors
    embed: Callable[[Tree, Array], Array]  # (parameters, image uint8 [B,H,W,3]) -> [B,D]; pure, may be jitted
    parameters: Tree  # the network's weights


@dataclasses.dataclass(frozen=True)
class SetMetric:
    """What a set of filled images is worth against the set of their photographs."""

    # (vectors of photographs float64 [N,D], of their filled images [N,D], in the same order) -> a number; deterministic
    distance: Callable[[np.ndarray, np.ndarray], float]
    embedding: Embedding  # makes the vectors
    least: int  # images that it needs; fewer are refused
    # as those of `Metric`, from here on
    title: str
    better: Better
    unit: str
    decimals: int
    definition: str
    least_side: int = 1


@dataclasses.dataclass(frozen=True)
class PooledMetric:
    """What a set of filled images is worth by each one's score in another metric, where that is not their mean."""

    of: str  # that metric's full name; without its scores there is no value
    pool: Callable[[np.ndarray], float]  # (scores [n] without NaN, n > 0) -> a number; deterministic
    # as those of `Metric`, from here on
    title: str
    better: Better
    unit: str
    decimals: int
    definition: str
    least_side: int = 1


AnyMetric = Metric | SetMetric | PooledMetric


def collect_metrics(wanted: Iterable[str] = (), where: str = "--metrics") -> dict[str, AnyMetric]:
    """Metrics by their full names, such as "edge_connect/psnr"; `where` is what named them, for messages.

    Groups such as "standard", or single metrics such as "inception/fid", are wanted. Of all of them, which none stands
    for, groups whose weights were never imported are left out, in one line of the log. UserError where there is no such
    group or metric, or the weights of one that was named are missing.
    """
    found: dict[str, AnyMetric] = {}
    wanted, missing = list(wanted), list[str]()
    for name in wanted or GROUPS:
        group, _, single = name.partition("/")
        module = registry.find(GROUPS, group, where)
        try:
            metrics: Mapping[str, AnyMetric] = module.open_metrics(group)
        except UserError as error:
            if wanted:
                raise
            missing.append(group)
            log.debug("without %s: %s", group, error)
            continue
        if single and single not in metrics:
            raise UserError(f"{where}: {group} has no {single!r}{did_you_mean(single, metrics)}")
        found |= {f"{group}/{key}": metric for key, metric in metrics.items() if single in ("", key)}
    if missing:
        log.warning("without %s, whose weights are not here: `%s` says how to get them", ", ".join(missing), HOW_TO_GET)
    return found


def check_pictures(image: Array, photograph: Array, hole: Array) -> None:
    """ValueError unless uint8 [B,H,W,3] twice and bool [B,H,W], so that nothing is broadcast silently."""
    if image.ndim != 4 or image.shape[3] != 3 or image.shape != photograph.shape:
        raise ValueError(f"two equal batches [B,H,W,3] are needed, not {image.shape} and {photograph.shape}")
    if image.dtype != jnp.uint8 or photograph.dtype != jnp.uint8:
        raise ValueError(f"pictures must be of 8 bits, not {image.dtype} and {photograph.dtype}")
    if hole.shape != image.shape[:3] or hole.dtype != bool:
        raise ValueError(f"the hole must be bool {image.shape[:3]}, not {hole.dtype} {hole.shape}")


def of_images(function: Callable[[Array, Array], Array]) -> Measure:
    """As `of_hole`, of a function that does not look at the hole."""
    return of_hole(lambda x, y, hole: function(x, y))


def of_hole(function: Callable[[Array, Array, Array], Array]) -> Measure:
    """A function float32 [B,H,W,3] twice, bool [B,H,W,1] -> [B] as `Metric.measure`: checked and jitted.

    It is given the levels 0..255: differences of k/255 would be wrong in the fifth digit, those of levels are exact.
    """

    @jax.jit
    def measure(parameters: Any, image: Array, photograph: Array, hole: Array) -> Array:
        check_pictures(image, photograph, hole)
        return function(image.astype(jnp.float32), photograph.astype(jnp.float32), hole[..., None])

    return measure
