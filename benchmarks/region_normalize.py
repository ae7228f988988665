"""What the fast form of SCAN's eq. (3) saves against the literal one: `python -m benchmarks.region_normalize`.

Prints, for both readings of the equation, how many times faster the forward pass and the gradient are (ratios of the
medians of interleaved repeats) and how many times less temporary memory the compiled programs ask for.
"""

from __future__ import annotations

import argparse
import statistics as medians
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from scan_jax.ops.normalization import Statistics, region_normalize

Array = jax.Array


def literal(x: Array, regions: Array, *, statistics: Statistics, epsilon: float = 1e-5) -> Array:
    """Eq. (3) as it stands, with one map per region: [B,H,W,C], [B,H,W,N] -> [B,H,W,C]."""
    values, weights = x[..., None], regions[..., None, :]  # [B,H,W,C,1], [B,H,W,1,N]
    if statistics == "product":
        product = values * weights  # [B,H,W,C,N]
        mean = product.mean((1, 2), keepdims=True)  # [B,1,1,C,N]
        deviation = product.std((1, 2), keepdims=True)  # [B,1,1,C,N]
    else:
        share = weights / weights.sum((1, 2), keepdims=True)  # [B,H,W,1,N]
        mean = (values * share).sum((1, 2), keepdims=True)  # [B,1,1,C,N]
        deviation = jnp.sqrt((share * jnp.square(values - mean)).sum((1, 2), keepdims=True))  # [B,1,1,C,N]
    return ((values - mean) / (deviation + epsilon) * weights).sum(-1)


def compile_pair(form: Callable[..., Array], reading: Statistics, *inputs: Array) -> tuple[Any, Any]:
    """The compiled forward pass, and the gradient of <result, direction> with respect to x and the regions."""
    forward = partial(form, statistics=reading)

    def loss(x: Array, regions: Array, direction: Array) -> Array:
        return jnp.vdot(forward(x, regions), direction)

    gradient = jax.grad(loss, argnums=(0, 1))
    return jax.jit(forward).lower(*inputs[:2]).compile(), jax.jit(gradient).lower(*inputs).compile()


def seconds(program: Any, *inputs: Array) -> float:
    start = time.perf_counter()
    jax.block_until_ready(program(*inputs))
    return time.perf_counter() - start


def compare(name: str, slow: Any, fast: Any, inputs: tuple[Array, ...], repeats: int) -> None:
    """Interleaves the two programs, so that whatever else the machine does touches both, and prints the ratios."""
    for program in (slow, fast):
        seconds(program, *inputs)
    times = [(seconds(slow, *inputs), seconds(fast, *inputs)) for _ in range(repeats)]
    slow_time, fast_time = medians.median(t[0] for t in times), medians.median(t[1] for t in times)
    slow_memory, fast_memory = (program.memory_analysis().temp_size_in_bytes for program in (slow, fast))
    print(
        f"{name:22s} {slow_time * 1e3:9.1f} ms {fast_time * 1e3:8.1f} ms {slow_time / fast_time:6.1f} x faster"
        f" {slow_memory / 2**20:9.1f} MiB {fast_memory / 2**20:7.1f} MiB {slow_memory / fast_memory:6.1f} x less"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=4, default=(1, 64, 64, 128), metavar=("B", "H", "W", "C"))
    parser.add_argument("--regions", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    key_x, key_regions, key_direction = jax.random.split(jax.random.key(0), 3)
    x = 2.0 + jax.random.normal(key_x, tuple(arguments.shape))  # [B,H,W,C]
    logits = 2.0 * jax.random.normal(key_regions, (*arguments.shape[:3], arguments.regions))  # [B,H,W,N]
    regions = jax.nn.softmax(logits, axis=-1)
    inputs = (x, regions, jax.random.normal(key_direction, x.shape))
    print(f"{jax.devices()[0].platform}, x {x.shape}, {arguments.regions} regions, medians of {arguments.repeats}")
    print(f"{'':22s} {'literal':>12s} {'fast':>11s} {'':15s} {'temporary':>9s}")
    readings: tuple[Statistics, Statistics] = ("weighted", "product")
    for reading in readings:
        slow, fast = compile_pair(literal, reading, *inputs), compile_pair(region_normalize, reading, *inputs)
        compare(f"{reading}, forward", slow[0], fast[0], inputs[:2], arguments.repeats)
        compare(f"{reading}, gradient", slow[1], fast[1], inputs, arguments.repeats)


if __name__ == "__main__":
    main()
