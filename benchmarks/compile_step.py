"""How long a config's training step takes to compile, and again from the compilation cache; nothing is trained.

    python -m benchmarks.compile_step --config=configs/celeba.py

Only shapes are needed, so neither photographs nor feature weights are.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from typing import Any

import jax
import jax.numpy as jnp

from scan_jax import configuration
from scan_jax.methods.api import build_method
from scan_jax.settings import bind
from scan_jax.training.settings import TrainingSettings
from scan_jax.training.setup import make_trainer
from scan_jax.types import Example


def main() -> None:
    """Prints two times and the memory that the program asks for."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--config", required=True)
    given, overrides = flags.parse_known_args()
    config = configuration.load(given.config, overrides)
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        for start in ("first start", "second start"):
            jax.clear_caches()
            before = time.perf_counter()
            program = compile_step(config)
            print(f"{start}: traced and compiled in {time.perf_counter() - before:.1f} s", flush=True)
    memory = program.memory_analysis().temp_size_in_bytes / 1e9
    print(f"temporary memory {memory:.2f} GB on {jax.devices()[0].device_kind}")


def compile_step(config: dict[str, Any]) -> Any:
    """The compiled step of a config."""
    settings = bind(config["training"], TrainingSettings, "config.training")
    method, size = build_method(config["method"]), config["data"]["size"]
    trainer = make_trainer(method, settings, size, config["seed"])
    shape = (settings.batch_size, size, size)
    image, known = (jax.ShapeDtypeStruct((*shape, channels), jnp.float32) for channels in (3, 1))
    features = getattr(method, "features", None)
    frozen = {} if features is None else {"features": jax.eval_shape(features.init, jax.random.key(0), image)["params"]}
    return trainer.step_after(0).lower(trainer.shapes, frozen, Example(image, known), trainer.key).compile()  # type: ignore


if __name__ == "__main__":
    main()
