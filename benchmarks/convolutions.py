"""`ops.convolution.convolve` beside the compiler's convolution on a CPU, in turn, in one run.

    python -m benchmarks.convolutions [--batch=4] [--depth=6] [--rounds=5]

For layers of the published networks, a chain of such convolutions and what a gradient step takes of it: forward, and
both gradients of each. The error is that of one convolution against float64, relative to the largest output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.public_steps.in_turn import medians
from scan_jax.commands import cli
from scan_jax.core import distributed
from scan_jax.core.errors import UserError
from scan_jax.ops.convolution import convolve

Convolution = Callable[[jax.Array, jax.Array], jax.Array]


class Layer(NamedTuple):
    """A convolution that keeps a map's size and channels.

    Attributes:
      where: the networks that have it.
      size: of the kernel.
      channels: of map and output.
      side: of the map.
    """

    where: str
    size: int
    channels: int
    side: int

    @property
    def padding(self) -> tuple[int, int]:
        """Before and after."""
        return self.size // 2, (self.size - 1) // 2


LAYERS = (
    Layer("residual blocks at 128x128", 3, 256, 32),
    Layer("residual blocks at 64x64", 3, 256, 16),
    Layer("encoders", 3, 128, 32),
    Layer("patch critics", 4, 256, 16),
    Layer("RFR's partial convolutions", 7, 64, 64),
)


def main(argv: list[str]) -> int:
    """Prints a line for each layer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolutions", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    flags = parser.parse_args(argv)
    return cli.run(lambda: measure(flags))


def measure(flags: argparse.Namespace) -> None:
    """One layer after the other.

    Raises:
      UserError: nothing to measure.
    """
    for name in ("batch", "depth", "rounds"):
        if (value := getattr(flags, name)) < 1:
            raise UserError(f"--{name} must be at least 1, not {value}")
    print(f"batch {flags.batch}, chains of {flags.depth}, medians of {flags.rounds} in turn")
    for layer in LAYERS:
        ours, compilers = partial(convolve, padding=layer.padding), partial(by_compiler, padding=layer.padding)
        sides = {"compiler": chain(compilers, layer, flags), "ours": chain(ours, layer, flags)}
        found = medians(sides, flags.rounds)
        print(
            f"{layer.size}x{layer.size}, {layer.channels:3} channels at {layer.side}x{layer.side}  {layer.where:32} "
            f"{found['compiler'] / found['ours']:5.2f} times as fast, error {error(ours, layer, flags.batch):.1e}, "
            f"the compiler's {error(compilers, layer, flags.batch):.1e}",
            flush=True,
        )


def by_compiler(x: jax.Array, kernel: jax.Array, padding: tuple[int, int]) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), (padding,) * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def draw(layer: Layer, batch: int) -> tuple[jax.Array, jax.Array]:
    """A map, and a kernel that keeps its scale."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, layer.side, layer.side, layer.channels), np.float32)
    kernel = rng.standard_normal((layer.size, layer.size, layer.channels, layer.channels), np.float32)
    return jnp.asarray(x), jnp.asarray(kernel / (layer.size * layer.channels**0.5))


def chain(convolution: Convolution, layer: Layer, flags: argparse.Namespace) -> Callable[[], None]:
    """Forward and backward through several, each with a kernel of its own."""
    x, kernel = draw(layer, flags.batch)
    kernels = [jnp.roll(kernel, index, axis=3) for index in range(flags.depth)]

    def loss(kernels: list[jax.Array], x: jax.Array) -> jax.Array:
        for kernel in kernels:
            x = jax.nn.relu(convolution(x, kernel))
        return jnp.sum(jnp.square(x))

    work = jax.jit(jax.grad(loss, argnums=(0, 1)))
    return lambda: jax.block_until_ready(work(kernels, x))  # type: ignore[no-any-return]


def error(convolution: Convolution, layer: Layer, batch: int) -> float:
    """Of one convolution."""
    x, kernel = draw(layer, batch)
    found = jax.jit(convolution)(x, kernel)
    with jax.enable_x64(True):
        wanted = by_compiler(x.astype(jnp.float64), kernel.astype(jnp.float64), layer.padding)
        return float(jnp.max(jnp.abs(found - wanted)) / jnp.max(jnp.abs(wanted)))


if __name__ == "__main__":
    distributed.keep_freed()  # as the trainer does
    sys.exit(main(sys.argv[1:]))
