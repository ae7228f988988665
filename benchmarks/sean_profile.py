"""Where a training pass of the SEAN generator goes, part by part: `benchmarks.sean_generator --profile` prints it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.layers.region_style import LabelBranch, StyleBranch
from scan_jax.layers.spectral_conv import SpectralConv
from scan_jax.models.sean import BLOCKS, Sean, StyleResidualBlock
from scan_jax.models.style_encoder import StyleEncoder

Array = jax.Array
Inputs = tuple[Any, ...]


class Pass:
    """A compiled training pass of a module: the mean square of its result, forward and to the gradients.

    Attributes:
      products: multiply-adds of the forward pass, by XLA's count.
    """

    def __init__(self, module: nn.Module, followed: Inputs, fixed: Inputs, **keywords: Any) -> None:
        """The gradients are those to the parameters and to `followed`, the first inputs; `fixed` are the others."""
        variables = draw_variables(module, *followed, *fixed, **keywords)
        params = variables.pop("params")

        def loss(params: Any, followed: Inputs, state: Any, fixed: Inputs) -> tuple[Array, Any]:
            given: Any = {"params": params, **state}
            result, changed = module.apply(given, *followed, *fixed, **keywords, mutable=list(state))
            return jnp.mean(jnp.square(result)), changed

        self._arguments = (params, followed, variables, fixed)
        gradient = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
        cost: Any = jax.jit(loss).lower(*self._arguments).cost_analysis()
        self.products = float(cost["flops"]) / 2
        self._program = jax.jit(gradient).lower(*self._arguments).compile()
        self.seconds()  # the first pass touches its memory for the first time

    def seconds(self) -> float:
        """Runs it once."""
        start = time.perf_counter()
        jax.block_until_ready(self._program(*self._arguments))
        return time.perf_counter() - start


def draw_variables(module: nn.Module, *inputs: Any, **keywords: Any) -> dict[str, Any]:
    """Small random numbers in the shapes of the module's variables; running variances are 1."""
    shapes = jax.eval_shape(lambda key: module.init(key, *inputs, **keywords), jax.random.key(0))
    rng = np.random.default_rng(0)

    def draw(path: Any, leaf: Any) -> Array:
        if path[-1].key == "variance":
            return jnp.ones(leaf.shape)
        return jnp.asarray(rng.standard_normal(leaf.shape, np.float32) * 0.05)

    variables: dict[str, Any] = jax.tree_util.tree_map_with_path(draw, shapes)
    return variables


def print_profile(model: Sean, image: Array, known: Array, labels: Array, repeats: int) -> None:
    """One line for the encoder, each block, and each kind of layer in the blocks.

    Every part is compiled and timed alone, so that the sum is not the whole to the millisecond: what is not in a block
    (the first and the last convolution, doubling the map) is missing, and nothing overlaps.
    """
    print(f"{'':30} {'ms':>6} {'GMAC a picture, forward':>24} {'GMAC/s':>7}")
    batch = image.shape[0]
    encoder = StyleEncoder(model.num_labels, model.width, model.style_size, model.attention)
    total = _line("style encoder", [Pass(encoder, (), (image, known, labels))], batch, repeats)
    kinds: dict[str, list[Pass]] = {}
    for name, block, x, small, styles in _blocks(model, labels):
        followed, fixed = (x,), (small, styles, jax.random.split(jax.random.key(1), batch))
        parts = [Pass(block, followed, fixed, train=True)]
        total += _line(f"block {name}, {x.shape[1]}x{x.shape[2]}", parts, batch, repeats)
        for kind, part in _layers(model, block, x, small, styles):
            kinds.setdefault(kind, []).append(part)
    print(f"{'sum':30} {1000 * total:6.0f}\nof the blocks:")
    rest = sum(_line(kind, parts, batch, repeats) for kind, parts in kinds.items())
    print(f"(encoder, noise, statistics, modulation: {1000 * (total - rest):.0f} ms are left)")


def _line(name: str, parts: list[Pass], batch: int, repeats: int) -> float:
    """Prints the sums over the parts; returns seconds."""
    seconds = sum(statistics.median(part.seconds() for _ in range(repeats)) for part in parts)
    products = sum(part.products for part in parts) / 1e9
    speed = 3 * products / seconds  # forward, and as much again for each of two gradients
    print(f"{name:30} {1000 * seconds:6.0f} {products / batch:24.2f} {speed:7.0f}", flush=True)
    return seconds


def _blocks(model: Sean, labels: Array) -> Iterator[tuple[str, StyleResidualBlock, Array, Array, Array | None]]:
    """Name, block, [B,H,W,C], [B,H,W] and [B,N,S] or None of each block of the decoder."""
    styles = jnp.full((labels.shape[0], model.num_labels, model.style_size), 0.5)
    channels = BLOCKS[0][1] * model.width
    for name, width, stride in BLOCKS:
        small = labels[:, ::stride, ::stride]
        x = jax.random.normal(jax.random.key(0), (*small.shape, channels))
        channels = width * model.width
        block = StyleResidualBlock(channels, model.num_labels, model.hidden, model.dtype)
        yield name, block, x, small, None if name == BLOCKS[-1][0] else styles


def _layers(
    model: Sean, block: StyleResidualBlock, x: Array, labels: Array, styles: Array | None
) -> Iterator[tuple[str, Pass]]:
    """The convolutions of a block and the branches of its norms, each alone."""
    features, middle = block.features, min(x.shape[-1], block.features)
    convolutions = [(x.shape[-1], middle, 3), (middle, features, 3)]
    if x.shape[-1] != features:
        convolutions.append((x.shape[-1], features, 1))
    for channels, wide, size in convolutions:
        y = jnp.ones((*x.shape[:3], channels))
        yield "spectral convolutions", Pass(SpectralConv(wide, size, 1, size // 2), (y,), (), train=True)
        share = jnp.full(2 * channels, 0.5)
        yield "label branches", Pass(LabelBranch(channels, model.num_labels, model.hidden), (), (labels, share))
        if styles is not None:
            yield "style branches", Pass(StyleBranch(channels), (styles,), (labels, share))
