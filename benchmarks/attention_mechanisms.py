"""Table I of the masked attention paper: its mechanisms trained under one protocol, with PSNR and attention by class.

    python -m benchmarks.attention_mechanisms --config=configs/portraits64.py --workdir=runs/mechanisms --seeds 0 1

Beside PSNR: the share of a hole pixel's attention that falls on pixels of its own class, before and after training,
over held-out photographs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import variants
from benchmarks.held_out import held_out
from scan_jax.core.config import Config
from scan_jax.core.types import Array, Observation
from scan_jax.inference.trained import Trained
from scan_jax.methods.api import Variables
from scan_jax.ops.attention import masked_attention

Shares = tuple[float, float]  # mean over pixels, mean over classes
MEASURED = 32  # held-out photographs


VARIANTS: variants.Variants = {
    **{
        kind: {"attention": kind, "loss": {"semantic_attention": 0.0}}
        for kind in ("none", "self", "masked", "contextual")
    },
    "contextual, attention loss": {"attention": "contextual"},  # with the config's own weight
}


def main() -> None:
    """Trains what is missing, then prints both tables."""
    given, overrides = variants.parse(__doc__.splitlines()[0], list(VARIANTS))
    runs = variants.train(VARIANTS, given, overrides)
    variants.print_psnr(runs, given.steps)
    print("\nattention on the pixel's own class over hole pixels, before -> after training")
    print(f"{'':28}{'mean over pixels':>20}{'mean over classes':>20}")
    for name, folders in runs.items():
        if VARIANTS[name]["attention"] != "none":
            before, after = np.mean([_shares(folder) for folder in folders], axis=0)  # [2] each, over seeds
            print(f"{name:28}" + "".join(f"{f'{old:.3f} -> {new:.3f}':>20}" for old, new in zip(before, after)))


def _shares(folder: Path) -> tuple[Shares, Shares]:
    """The attention on the own class before and after a run."""
    trained = Trained.load(folder)
    example = held_out(Config.of(trained.config), MEASURED)
    start = jax.jit(trained.method.init)(jax.random.key(trained.config["seed"]), example)
    own = jax.jit(lambda variables: own_class_attention(trained.method, variables, example.observe()))
    return _summarise(*map(np.asarray, own(start))), _summarise(*map(np.asarray, own(trained.variables)))


def own_class_attention(method: Any, variables: Variables, seen: Observation) -> tuple[Array, Array, Array]:
    """How much of every pixel's attention falls on its own class, its class, and whether it is a hole pixel: [B,N]."""
    settings, parts = method.settings, method.attention(variables, seen)
    known = parts["known"]  # [B,N], N pixels at half the size
    labels = jnp.asarray(seen.labels)[:, ::2, ::2].reshape(known.shape)  # [B,N]
    classes = jax.nn.one_hot(labels, settings.num_labels)  # [B,N,L]
    mass = masked_attention(parts["query"], parts["key"], classes, known, settings.attention)  # [B,N,L]
    return jnp.sum(mass * classes, axis=-1), labels, known < 0.5


def _summarise(own: np.ndarray, labels: np.ndarray, hole: np.ndarray) -> Shares:
    """Means over all hole pixels, and over the classes that have some, where a large class cannot hide the others."""
    own, labels = own[hole], labels[hole]  # [n]
    return float(own.mean()), float(np.mean([own[labels == k].mean() for k in np.unique(labels)]))


if __name__ == "__main__":
    main()
