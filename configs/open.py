"""SCAN on openly licensed photographs at 128x128: the training of the weights that come with the package.

Expected: docs/results.md has its first 3,500 steps. Before its first step it equals its prior.
Hardware: two CPU cores, days for all steps; the same command goes on where it was stopped.
Data: `scan_jax prepare open_photographs`, see docs/own_data.md.

    python -m scan_jax.main --config=configs/open.py
"""

from ml_collections import ConfigDict
from scan_jax.configs import demo


def get_config() -> ConfigDict:
    config = demo.get_config()
    config.data = {"name": "prepared", "dataset": "open_photographs/2048", "size": 128}
    config.augmentation = {"crop": "random_square"}  # from single leaves to whole views
    config.holes = {"name": "mixture", "ratio": (0.02, 0.6)}

    del config.method.blocks
    config.method.update(width=24, regions=8, share="pixel")

    config.training.update(steps=40000, batch_size=8, ema_decay=0.998, keep_every=5000)
    config.training.update(log_every=50, checkpoint_every=250, evaluate_every=1000, pictures_every=1000)
    config.training.optimizers.generator.update(learning_rate=8e-4, warmup=200)

    config.evaluation.holes_per_bucket = 11  # one for each held-out photograph
    return config
