"""Table I of the masked attention paper: its mechanisms trained under one protocol, with PSNR and attention by class.

    python -m benchmarks.attention_mechanisms --config=configs/portraits64.py --workdir=runs/mechanisms --seeds 0 1

Beside PSNR: the share of a hole pixel's attention that falls on pixels of its own class, before and after training,
over the held-out photographs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import variants
from scan_jax.data.api import open_data
from scan_jax.inference import run_folder
from scan_jax.masks.api import open_holes
from scan_jax.methods import api
from scan_jax.methods.api import Variables
from scan_jax.ops.attention import masked_attention
from scan_jax.types import Array, Example, Observation

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
    print("attention on the pixel's own class, mean over hole pixels: before training, after it")
    for name, folders in runs.items():
        if VARIANTS[name]["attention"] != "none":
            shares = np.mean([_shares(folder) for folder in folders], axis=0)  # [2] over seeds
            print(f"{name:28}{shares[0]:8.3f}{shares[1]:8.3f}")


def _shares(folder: Path) -> tuple[float, float]:
    """The attention on the own class before and after a run."""
    config = json.loads((folder / "config.json").read_text())
    method = api.build_method(config["method"])
    seen = _held_out(config)
    start = jax.jit(method.init)(jax.random.key(config["seed"]), Example(seen.image, seen.known, seen.labels))
    _, trained = run_folder.restore(folder)
    share = jax.jit(lambda variables: own_class_share(method, variables, seen))
    return float(share(start)), float(share(trained))


def _held_out(config: Mapping[str, Any]) -> Observation:
    """The first held-out photographs, each with one hole."""
    source, size = open_data(config["data"]).held_out, config["data"]["size"]
    photos = [source[index] for index in range(min(MEASURED, len(source)))]
    holes = open_holes(config["holes"]).held_out
    drawn = np.stack([holes.draw(np.random.default_rng(index), size) for index in range(len(photos))])  # [n,S,S]
    known = 1 - drawn[..., None].astype(np.float32)  # [n,S,S,1]
    image = np.stack([photo["image"] for photo in photos]).astype(np.float32) / 255  # [n,S,S,3]
    labels = np.stack([photo["labels"] for photo in photos]).astype(np.int32)  # [n,S,S]
    return Observation(*map(jnp.asarray, (image * known, known, labels)))


def own_class_share(method: Any, variables: Variables, seen: Observation) -> Array:
    """How much of a hole pixel's attention falls on its own class, a mean over the hole pixels of the batch."""
    settings, parts = method.settings, method.attention(variables, seen)
    known = parts["known"]  # [B,N], N pixels at half the size
    labels = seen.labels[:, ::2, ::2].reshape(known.shape)  # [B,N]
    classes = jax.nn.one_hot(labels, settings.num_labels)  # [B,N,L]
    mass = masked_attention(parts["query"], parts["key"], classes, known, settings.attention)  # [B,N,L]
    hole = 1 - known  # [B,N]
    return jnp.sum(jnp.sum(mass * classes, axis=-1) * hole) / jnp.maximum(jnp.sum(hole), 1)


if __name__ == "__main__":
    main()
