"""SCAN on synthetic portraits, 64x64: the whole way from nothing to a filled hole on a laptop, without any download.

Expected: above the harmonic and the biharmonic equation in every bucket of hole ratios.
Hardware: two CPU cores, about 5 minutes.

    python -m scan_jax.main --config=configs/demo.py
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = {"name": "synthetic_portraits"}  # drawn, all 19 CelebAMask-HQ classes
    config.data.update(size=64, count=2000, held_out=100)

    config.holes = {"name": "free_form", "ratio": (0.1, 0.6)}

    config.method = {"name": "scan", "width": 16, "critic_width": 16, "blocks": 2}
    config.method.prior = "both"  # it takes the place of the rough first stage
    config.method.stages = 1
    config.method.loss = {"perceptual": 0.0, "style": 0.0}  # VGG's weights would be a download
    config.method.loss.adversarial = 0.0

    config.training = {"steps": 1000, "batch_size": 16, "ema_decay": 0.99}
    config.training.update(log_every=20, checkpoint_every=200, pictures_every=200)
    config.training.optimizers = {
        "generator": {"algorithm": "muon", "learning_rate": 2e-3, "b1": 0.9, "b2": 0.99},  # docs/recipe.md
        "critic": {"learning_rate": 1e-4},  # for those who give `adversarial` a weight
    }
    config.training.optimizers.generator.update(schedule="cosine", warmup=50, clip=1.0)

    config.evaluation = {"holes_per_bucket": 50}
    return config
