"""SCAN on synthetic portraits, 64x64: the whole way from nothing to a filled hole on a laptop, without any download.

Expected: above the harmonic and the biharmonic equation in every bucket of hole ratios.
Hardware: two CPU cores, about 5 minutes.

    python -m scan_jax.main --config=configs/demo.py
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "synthetic_portraits"  # drawn, all 19 CelebAMask-HQ classes
    config.data.size = 64
    config.data.count = 2000
    config.data.held_out = 100

    config.holes = ConfigDict()
    config.holes.name = "free_form"
    config.holes.ratio = (0.1, 0.6)

    config.method = ConfigDict()
    config.method.name = "scan"
    config.method.prior = "both"  # it takes the place of the rough first stage
    config.method.stages = 1
    config.method.blocks = 2
    config.method.width = 16
    config.method.critic_width = 16
    config.method.loss = ConfigDict()
    config.method.loss.perceptual = 0.0  # VGG's weights would be a download
    config.method.loss.style = 0.0
    config.method.loss.adversarial = 0.0

    config.training = ConfigDict()
    config.training.steps = 1000
    config.training.batch_size = 16
    config.training.log_every = 20
    config.training.checkpoint_every = 200
    config.training.pictures_every = 200
    config.training.ema_decay = 0.99
    config.training.optimizers = ConfigDict()
    config.training.optimizers.generator = ConfigDict()
    config.training.optimizers.generator.algorithm = "muon"  # docs/recipe.md
    config.training.optimizers.generator.learning_rate = 2e-3
    config.training.optimizers.generator.b1 = 0.9
    config.training.optimizers.generator.b2 = 0.99
    config.training.optimizers.generator.schedule = "cosine"
    config.training.optimizers.generator.warmup = 50
    config.training.optimizers.generator.clip = 1.0
    config.training.optimizers.critic = ConfigDict()  # for those who give `adversarial` a weight
    config.training.optimizers.critic.learning_rate = 1e-4

    config.evaluation = ConfigDict()
    config.evaluation.holes_per_bucket = 50
    return config
