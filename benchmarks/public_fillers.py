"""Generators forward beside those of the public PyTorch code: the same random weights and photograph, in one run.

    python -m benchmarks.public_fillers --clones=FOLDER [--only lama migan] [--side=512] [--rounds=5]

FOLDER holds clones of advimman/lama and Picsart-AI-Research/MI-GAN. Seconds of the processors, of all threads together,
as other work on the machine makes the clock's worthless; and the most memory beyond what lay there before, as Linux
counts it.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.public_steps import lama
from benchmarks.public_steps.batch import as_torch
from benchmarks.public_steps.clones import load
from scan_jax.commands import cli
from scan_jax.core.device import compiler_options
from scan_jax.methods.api import build_method
from scan_jax.weights import import_lama, import_migan


def main(argv: list[str]) -> int:
    """Prints a line for each side of each network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.public_fillers", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=tuple(NETWORKS), default=tuple(NETWORKS))
    parser.add_argument("--side", type=int, default=512, choices=(256, 512))
    parser.add_argument("--rounds", type=int, default=5)
    flags = parser.parse_args(argv)
    return cli.run(lambda: measure_all(flags))


def measure_all(flags: argparse.Namespace) -> None:
    """One network after the other; a UserError where a clone is missing."""
    for name in flags.only:
        measure(name, flags)


def migan_generator(clones: Path, side: int) -> Any:
    """The public one."""
    return load(clones, "MI-GAN", "lib.model_zoo.migan_inference").Generator(side)


def lama_generator(clones: Path, side: int) -> Any:
    """Likewise; it takes any size."""
    del side
    return lama.generator(clones)


# The public generator, our importer, what its file has around the parameters, and what the network is shown.
NETWORKS: dict[str, tuple[Callable[[Path, int], Any], Any, Callable[[Any], Any], Callable[..., list[np.ndarray]]]] = {
    "lama": (
        lama_generator,
        import_lama,
        lambda state: {"state_dict": {f"generator.{name}": value for name, value in state.items()}},
        lambda image, known: [image * known, 1 - known],
    ),
    "migan": (
        migan_generator,
        import_migan,
        lambda state: state,
        lambda image, known: [known - 0.5, (2 * image - 1) * known],
    ),
}


def measure(name: str, flags: argparse.Namespace) -> None:
    """Both sides in turn, after a round that is not counted.

    Raises:
      UserError: the clone is missing.
    """
    make, importer, packed, shown = NETWORKS[name]
    network = make(flags.clones, flags.side).eval()
    with tempfile.TemporaryDirectory() as folder:
        torch.save(packed(network.state_dict()), Path(folder, "weights.pt"))
        tree = importer.read(Path(folder, "weights.pt"))
    generator = build_method(importer.config(tree)["method"]).networks["generator"]
    variables = jax.device_put({"params": tree["params"]["generator"], **tree["stats"]["generator"]})
    rng, shape = np.random.default_rng(0), (1, flags.side, flags.side)
    image, known = rng.random((*shape, 3), np.float32), np.float32(rng.random((*shape, 1)) > 0.3)
    seen = as_torch(np.concatenate(shown(image, known), axis=-1)).contiguous()
    given = variables, jnp.asarray(image), jnp.asarray(known)

    def fill_once(*given: jax.Array) -> jax.Array:
        found = generator.apply(*given, train=False)
        return found[-1] if isinstance(found, list | tuple) else found

    options = compiler_options(jax.devices())
    ordered, fill = (jax.jit(fill_once, compiler_options=each).lower(*given).compile() for each in ({}, options))
    analyses: list[Any] = [each.memory_analysis() for each in (ordered, fill)]
    held = [each.temp_size_in_bytes >> 20 for each in analyses]
    print(f"{name:6} by the compiler's count {held[1]} MiB, in XLA's own order {held[0]}", flush=True)

    def public() -> None:
        with torch.no_grad():
            network(seen)

    sides = {"public": public, "ours": lambda: jax.block_until_ready(fill(*given))}
    found: dict[str, list[tuple[float, ...]]] = {side: [] for side in sides}
    for _ in range(flags.rounds + 1):
        for side, work in sides.items():
            found[side].append(cost(work))
    for side, rounds in found.items():
        processors, clock, memory = (statistics.median(column) for column in zip(*rounds[1:]))
        text = f"{processors:6.3f} s of the processors, {clock:6.3f} s by the clock, {memory:4.0f} MiB more"
        print(f"{name:6} {side:7} {text}", flush=True)


def cost(work: Callable[[], None]) -> tuple[float, ...]:
    """Seconds of the processors and by the clock, and MiB at the most beyond those before."""
    time.sleep(0.5)  # JAX gives its memory back a little later
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, clock, processors = _mebibytes("VmRSS"), time.perf_counter(), time.process_time()
    work()
    return time.process_time() - processors, time.perf_counter() - clock, _mebibytes("VmHWM") - before


def _mebibytes(name: str) -> float:
    """A line of what Linux says of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
