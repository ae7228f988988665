"""How long a config's training step takes to compile, and again from the compilation cache; nothing is trained.

    python -m benchmarks.compile_step --config=configs/celeba.py

Only shapes are needed, so neither photographs nor feature weights are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from typing import Any

import jax

from scan_jax.commands import cli
from scan_jax.core import config as configuration
from scan_jax.core.config import Config
from scan_jax.methods.api import build_method
from scan_jax.training.trainer import Trainer


def main(argv: list[str]) -> int:
    """Prints two times and the memory that the program asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--config", required=True)
    flags, overrides = parser.parse_known_args(argv)
    return cli.run(lambda: measure(flags.config, overrides))


def measure(config_name: str, overrides: list[str]) -> None:
    """A first start and a second one, which finds the first one's program in the cache."""
    config = configuration.load(config_name, overrides)
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        for start in ("first start", "second start"):
            jax.clear_caches()
            before = time.perf_counter()
            program = compile_step(config)
            print(f"{start}: traced and compiled in {time.perf_counter() - before:.1f} s", flush=True)
    memory = program.memory_analysis().temp_size_in_bytes / 1e9
    print(f"temporary memory {memory:.2f} GB on {jax.devices()[0].device_kind}")


def compile_step(config: Config) -> Any:
    """The compiled step of a config, of its last phase."""
    method = build_method(config.method)
    trainer = Trainer(method, config.training, config.size, config.seed)
    return trainer.trace(method.frozen_shapes()).lower().compile()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
