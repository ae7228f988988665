"""What contracting SEAN's style branch saves against its literal form: `python -m benchmarks.style_branch`.

The literal form spreads the class styles over their pixels, as a map of as many channels as a style has, and convolves
it. Prints how many times faster the forward pass and the gradient to all parameters and styles are (ratios of the
medians of interleaved repeats), and how many times less temporary memory the compiled programs ask for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.region_normalize import compare
from scan_jax.layers.region_style import StyleBranch

Array = jax.Array
Form = Callable[[Any, Array, Array, Array], Array]


def literal(params: Any, styles: Array, labels: Array, share: Array) -> Array:
    """[B,N,S], [B,H,W], [2C] -> [B,H,W,2C] with the map of S channels in between."""
    dense = params["dense"]
    by_class = styles.transpose(1, 0, 2)  # [N,B,S]
    hidden = jnp.einsum("nbs,nst->nbt", by_class, dense["kernel"]).transpose(1, 0, 2) + dense["bias"][None]  # [B,N,S]
    spread = jax.vmap(lambda rows, index: rows[index])(jax.nn.relu(hidden), labels)  # [B,H,W,S]
    y = jax.lax.conv_general_dilated(
        spread, params["kernel"], (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )  # [B,H,W,2C]
    return (y + params["bias"][None, None, None]) * share[None, None, None]


def compile_pair(form: Form, inputs: tuple[Any, ...], direction: Array) -> tuple[Any, Any]:
    """The compiled forward pass, and the gradient of <result, direction> with respect to parameters and styles."""

    def loss(params: Any, styles: Array, labels: Array, share: Array, direction: Array) -> Array:
        return jnp.vdot(form(params, styles, labels, share), direction)

    gradient = jax.grad(loss, argnums=(0, 1))
    return jax.jit(form).lower(*inputs).compile(), jax.jit(gradient).lower(*inputs, direction).compile()


def draw(batch: int, size: int, classes: int, style_size: int, channels: int) -> tuple[tuple[Any, ...], Array]:
    """Random parameters and styles, labels in squares of an eighth of the side, and a direction."""
    keys = jax.random.split(jax.random.key(0), 4)
    squares = jax.random.randint(keys[0], (batch, 8, 8), 0, classes)
    labels = jnp.repeat(jnp.repeat(squares, size // 8, axis=1), size // 8, axis=2)  # [B,H,W]
    styles = jax.random.normal(keys[1], (batch, classes, style_size))
    share = jnp.full(2 * channels, 0.5)
    params = StyleBranch(channels).init(keys[2], styles, labels, share)["params"]
    return (params, styles, labels, share), jax.random.normal(keys[3], (batch, size, size, 2 * channels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=128, help="height and width, a multiple of 8")
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--style_size", type=int, default=512, help="channels of the literal form's map")
    parser.add_argument("--channels", type=int, default=512, help="channels that are modulated; twice as many come out")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    settings = (arguments.batch, arguments.size, arguments.classes, arguments.style_size, arguments.channels)
    inputs, direction = draw(*settings)
    branch = StyleBranch(arguments.channels)

    def contracted(params: Any, styles: Array, labels: Array, share: Array) -> Array:
        return branch.apply({"params": params}, styles, labels, share)  # type: ignore[return-value]  # nothing mutable

    slow, fast = compile_pair(literal, inputs, direction), compile_pair(contracted, inputs, direction)
    wanted, found = slow[0](*inputs), fast[0](*inputs)
    error = float(jnp.linalg.norm(found - wanted) / jnp.linalg.norm(wanted))
    print(f"{jax.devices()[0].platform}, {arguments.size}x{arguments.size}, batch {arguments.batch},", end=" ")
    print(f"{arguments.classes} classes, {arguments.style_size} -> 2 x {arguments.channels} channels,", end=" ")
    print(f"relative difference {error:.1e}, medians of {arguments.repeats}")
    print(f"{'':22s} {'literal':>12s} {'contracted':>11s} {'':15s} {'temporary':>9s}")
    compare("forward", slow[0], fast[0], inputs, arguments.repeats)
    compare("gradient", slow[1], fast[1], (*inputs, direction), arguments.repeats)


if __name__ == "__main__":
    main()
