"""A training pass of the whole SEAN generator, forward and to the gradient of every parameter, beside the public code.

    python -m benchmarks.sean_generator [--public=DIR] [--repeats=3] [--attention=none] [--profile] \\
        [--device=cuda] [--dtype=bfloat16]

DIR is a checkout of the public PyTorch code; without it our side is timed alone. Both paint 128x128 pictures, with 19
classes, width 64, style size 512, batch statistics, a step of the spectral norm and noise, and the loss is the mean
square of the picture. They take updates in one process, with all cores each, after a pass that is not counted (ours
compiles then). The public encoder has no attention, so only `--attention=none` compares like with like.
bfloat16 is the public code's by autocast.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.sean_profile import Pass, print_profile
from scan_jax.models.sean import Sean

CLASSES = 19
# imported by the public code, and not called by its generator
UNCALLED = ("torchvision", "torchvision.models", "torchvision.transforms", "dill", "dominate", "scipy.io")


def main() -> None:
    """Prints the medians and their ratio, or where our time goes."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--public", help="folder of the public PyTorch code")
    flags.add_argument("--attention", default="none", choices=("none", "self", "masked", "contextual"))
    flags.add_argument("--profile", action="store_true", help="time our parts one by one instead")
    for name, default in (("repeats", 3), ("size", 128), ("batch", 2), ("width", 64)):
        flags.add_argument(f"--{name}", type=int, default=default)
    flags.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the public code; ours is JAX's")
    flags.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    given = flags.parse_args()
    print(f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores, {given.size}x{given.size}, batch {given.batch}")
    image, known, labels = draw_pictures(given.size, given.batch)
    model = Sean(CLASSES, given.width, attention=given.attention, dtype=jnp.dtype(given.dtype))
    if given.profile:
        print_profile(model, image, known, labels, given.repeats)
        return
    keys = jax.random.split(jax.random.key(0), given.batch)
    ours = Pass(model, (), (image, known, labels, keys), train=True)
    steps, counts = [ours.seconds], [ours.products / given.batch]
    if given.public:
        seconds, products = public_step(given, image, labels)
        steps.append(seconds)
        counts.append(products / given.batch)
    else:
        print("the public code is not timed: give its folder with --public")
    report(steps, counts, given.repeats)


def report(steps: list[Callable[[], float]], counts: list[float], repeats: int) -> None:
    """Lets the sides take updates and prints medians, fastest passes, multiplications a picture and ratios."""
    sides = list(zip(*[[step() for step in steps] for _ in range(repeats)]))
    for name, side, count in zip(("ours", "public"), sides, counts):
        each = " ".join(f"{seconds:.2f}" for seconds in side)
        print(f"{name:8} {statistics.median(side):7.2f} s a pass (of {each}), {count / 1e9:.0f} GMAC a picture forward")
    if len(sides) == 2:
        median, fastest = (kind(sides[1]) / kind(sides[0]) for kind in (statistics.median, min))
        print(f"ours is {median:.2f} times faster by the medians, {fastest:.2f} times by the fastest passes")
        print("(a busy machine slows the public code's threads more than ours: read the second number there)")


def draw_pictures(size: int, batch: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Random pictures without a hole, and labels in squares of an eighth of the side."""
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.random((batch, size, size, 3)), jnp.float32)
    squares = rng.integers(0, CLASSES, (batch, 8, 8)).repeat(size // 8, 1).repeat(size // 8, 2)
    return image, jnp.ones((batch, size, size, 1)), jnp.asarray(squares, jnp.int32)


def public_step(given: argparse.Namespace, image: jax.Array, labels: jax.Array) -> tuple[Callable[[], float], float]:
    """The public pass, which returns its seconds, and its multiplications forward."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(os.cpu_count() or 1)
    generator = _public_generator(torch, given)
    torch.set_default_device(given.device)
    picture = torch.tensor(2 * np.asarray(image) - 1).permute(0, 3, 1, 2).contiguous()
    one_hot = torch.nn.functional.one_hot(torch.tensor(np.asarray(labels, np.int64)), CLASSES)
    one_hot = one_hot.permute(0, 3, 1, 2).float().contiguous()

    def seconds() -> float:
        generator.zero_grad(set_to_none=True)
        start = time.perf_counter()
        with torch.autocast(given.device, torch.bfloat16, enabled=given.dtype == "bfloat16"):
            generator(one_hot, picture).square().mean().backward()
        if given.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        generator(one_hot, picture)
    seconds()
    return seconds, counter.get_total_flops() / 2


def _public_generator(torch: Any, given: argparse.Namespace) -> Any:
    """The public generator, whose code moves its noise to a GPU and imports what it does not call."""
    for name in UNCALLED:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = types.ModuleType(name)
    importlib.import_module("torch.nn.utils.spectral_norm")
    if given.device == "cpu":
        torch.Tensor.cuda = lambda tensor, *_, **__: tensor
    sys.path.insert(0, given.public)
    options = argparse.Namespace(
        ngf=given.width,
        semantic_nc=CLASSES,
        norm_G="spectralspadesyncbatch3x3",
        num_upsampling_layers="normal",
        crop_size=given.size,
        aspect_ratio=1.0,
        status="train",
    )
    torch.manual_seed(0)
    generator = importlib.import_module("models.networks.generator").SPADEGenerator(options)
    generator.init_weights("xavier", 0.02)
    return generator.train()


if __name__ == "__main__":
    main()
