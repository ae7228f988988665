"""Memory and time of masked attention with its loss on long maps, of one image.

    python -m benchmarks.attention_memory [--tokens 16384 65536] [--channels=256] [--memory-only]

Prints for the forward pass, and for both passes, the temporary memory that the compiled program asks for beside its
arguments and results, what the N x N map alone would take in float32, and the time of one run.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from scan_jax.ops.attention import Kind, attend_with_semantic_loss

Array = jax.Array
CLASSES, TARGET, HOLE = 19, 5e-4, 0.2  # the paper's, with holes of its largest ratio
KINDS: tuple[Kind, ...] = ("masked", "contextual")


def forward(inputs: tuple[Array, ...], labels: Array, known: Array, *, kind: Kind) -> tuple[Array, Array]:
    """Attended values [1,N,C] and the loss [1]."""
    return attend_with_semantic_loss(*inputs, labels, known, kind, num_labels=CLASSES, target=TARGET)  # type: ignore


def gradient(inputs: tuple[Array, ...], labels: Array, known: Array, *, kind: Kind) -> Any:
    """Both passes: value and gradients."""

    def loss(inputs: tuple[Array, ...]) -> Array:
        attended, semantic = forward(inputs, labels, known, kind=kind)
        return jnp.mean(jnp.square(attended)) + jnp.sum(semantic)

    return jax.value_and_grad(loss)(inputs)


def make_inputs(tokens: int, channels: int) -> tuple[tuple[Array, ...], Array, Array]:
    """One image: query and key [1,N,C/8], value [1,N,C]; labels and known [1,N], the hole in scattered rows."""
    keys = jax.random.split(jax.random.key(0), 5)
    widths = (channels // 8, channels // 8, channels)
    inputs = tuple(jax.random.normal(key, (1, tokens, width)) for key, width in zip(keys[:3], widths))
    labels = jax.random.randint(keys[3], (1, tokens), 0, CLASSES)
    return inputs, labels, (jax.random.uniform(keys[4], (1, tokens)) > HOLE).astype(jnp.float32)


def measure(name: str, run: Any, tokens: int, channels: int, *, execute: bool) -> None:
    """Prints one line for each kind."""
    for kind in KINDS:
        arguments = jax.eval_shape(partial(make_inputs, tokens, channels))
        program: Any = jax.jit(partial(run, kind=kind)).lower(*arguments).compile()
        memory = program.memory_analysis().temp_size_in_bytes / 1e9
        line = (
            f"{tokens:6d} tokens, {name:11s} {kind:11s} {memory:6.3f} GB extra (one map: {tokens**2 * 4 / 1e9:5.1f} GB)"
        )
        if execute:
            inputs = jax.block_until_ready(make_inputs(tokens, channels))
            start = time.perf_counter()
            jax.block_until_ready(program(*inputs))
            line += f"  {time.perf_counter() - start:6.2f} s"
        print(line, flush=True)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--memory-only", action="store_true", help="compile, and run nothing")
    flags.add_argument("--tokens", type=int, nargs="+", default=[16_384, 65_536])
    flags.add_argument("--channels", type=int, default=256)
    given = flags.parse_args()
    print(f"{jax.devices()[0].device_kind}, {given.channels} channels, {CLASSES} classes, {HOLE:.0%} hole")
    for tokens in given.tokens:
        for name, run in (("forward", forward), ("both passes", gradient)):
            measure(name, run, tokens, given.channels, execute=not given.memory_only)


if __name__ == "__main__":
    main()
