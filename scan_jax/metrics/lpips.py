"""LPIPS (Zhang et al. 2018, version 0.1): how far two images are apart for a network that people's judgements weighed.

Papers mean different networks by that name (AlexNet: RN, MAT; VGG-16: LaMa), so each is a metric of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from scan_jax.core.errors import UserError
from scan_jax.core.types import Array
from scan_jax.features.api import build_network, load_features, load_imported, weights_name
from scan_jax.metrics.api import HOW_TO_GET, Measure, Metric, Tree, check_pictures

log = logging.getLogger(__name__)


class Trunk(NamedTuple):
    """A network under LPIPS."""

    network: str  # a key of `features.api.NETWORKS`
    head: str  # the importer of its weights per channel
    title: str  # in a table's head
    layers: tuple[str, ...]  # the activations that are compared
    least_side: int  # pixels below which the deepest of them is empty


FIRES = ("relu_conv1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")
TRUNKS: Mapping[str, Trunk] = {
    "alex": Trunk("alexnet", "lpips_alex", "LPIPS AlexNet", tuple(f"relu{i}" for i in range(1, 6)), 31),
    "vgg16": Trunk("vgg16", "lpips_vgg16", "LPIPS VGG-16", ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"), 16),
    "squeeze": Trunk("squeezenet1_1", "lpips_squeeze", "LPIPS SqueezeNet", FIRES, 17),
}


def open_metrics(group: str = "lpips") -> dict[str, Metric]:
    """LPIPS on every network that was imported together with its head; the log says how to get the others.

    UserError where there is none; it names every missing file and the commands that import them.
    """
    found: dict[str, Metric] = {}
    missing: dict[str, str] = {}
    for name, trunk in TRUNKS.items():
        try:
            found[name] = _open(trunk)
        except UserError as error:
            missing[name] = str(error)
    if not found:
        raise UserError(" · ".join(f"{name}: {complaint}" for name, complaint in missing.items()))
    if missing:
        names = ", ".join(f"lpips/{name}" for name in missing)
        log.warning("without %s, whose weights are not here: `%s` says how to get them", names, HOW_TO_GET)
    return found


def lpips_distance(first: Mapping[str, Array], second: Mapping[str, Array], heads: Mapping[str, Array]) -> Array:
    """Sum over layers of the mean over pixels of sum_c w_c (a_c/|a| - b_c/|b|)^2 (Zhang et al., equation 1): [B].

    `first` and `second` are the two images' activations by layer, [B,h,w,C]; `heads` the weights w of each, [C].
    """
    total = jnp.zeros(())
    for layer, weights in heads.items():
        difference = _unit_length(first[layer]) - _unit_length(second[layer])  # [B,h,w,C]
        total = total + jnp.mean(jnp.square(difference) @ weights, axis=(1, 2))  # [B]
    return total


def _unit_length(x: Array) -> Array:
    """Each pixel's vector of channels over its length: [B,h,w,C]."""
    return x / (jnp.sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True)) + 1e-10)


def _open(trunk: Trunk) -> Metric:
    """The metric with its weights; UserError names all that is missing."""
    complaints, found = list[str](), list[Any]()
    for load in (lambda one: load_features(one.network, one.layers), _load_heads):
        try:
            found.append(load(trunk))
        except UserError as error:
            complaints.append(str(error))
    if complaints:
        raise UserError("; ".join(complaints))
    network, heads = found
    return Metric(
        measure=_measure(network.apply),
        title=trunk.title,
        better="lower",
        unit="",
        decimals=4,
        definition=(
            f"LPIPS 0.1 on {trunk.title.removeprefix('LPIPS ')} ({weights_name(trunk.network)}, "
            f"{weights_name(trunk.head).replace('weights', 'heads')}) over RGB, mean over images"
        ),
        parameters={"network": network.params, "heads": heads},
        least_side=trunk.least_side,
    )


def _load_heads(trunk: Trunk) -> Tree:
    """{layer: [C]}."""
    network = build_network(trunk.network, trunk.layers)
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    activations, _ = jax.eval_shape(network.init_with_output, jax.random.key(0), image)
    widths = [activations[layer].shape[-1] for layer in trunk.layers]
    wanted = {f"lin{i}": jax.ShapeDtypeStruct((width,), jnp.float32) for i, width in enumerate(widths)}
    heads = load_imported(trunk.head, wanted)
    return {layer: heads[f"lin{i}"] for i, layer in enumerate(trunk.layers)}


def _measure(apply: Callable[[Tree, Array], dict[str, Array]]) -> Measure:
    """`Metric.measure` of a network; the networks in `features/` do what LPIPS' own scaling layer does."""

    @jax.jit
    def measure(parameters: Tree, image: Array, photograph: Array, hole: Array) -> Array:
        check_pictures(image, photograph, hole)
        with jax.default_matmul_precision("highest"):  # the same number on every device
            pair = apply(parameters["network"], jnp.concatenate([image, photograph]).astype(jnp.float32) / 255)
            first, second = ({layer: jnp.split(x, 2)[i] for layer, x in pair.items()} for i in (0, 1))
            return lpips_distance(first, second, parameters["heads"])

    return measure
