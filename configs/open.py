"""SCAN on openly licensed photographs at 128x128: the training of the weights that come with the package.

Expected: docs/results.md has its first 3,500 steps. Before its first step it equals its prior.
Hardware: two CPU cores, days for all steps; the same command goes on where it was stopped.
Data: `scan_jax prepare open_photographs`, see docs/own_data.md.

    python -m scan_jax.main --config=configs/open.py
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "prepared"
    config.data.dataset = "open_photographs/2048"
    config.data.size = 128

    config.augmentation = ConfigDict()
    config.augmentation.crop = "random_square"  # from single leaves to whole views

    config.holes = ConfigDict()
    config.holes.name = "mixture"
    config.holes.ratio = (0.02, 0.6)

    config.method = ConfigDict()
    config.method.name = "scan"
    config.method.prior = "both"  # it takes the place of the rough first stage
    config.method.stages = 1
    config.method.width = 24
    config.method.regions = 8
    config.method.critic_width = 16
    config.method.loss = ConfigDict()
    config.method.loss.perceptual = 0.0  # reconstruction first
    config.method.loss.style = 0.0
    config.method.loss.adversarial = 0.0

    config.training = ConfigDict()
    config.training.steps = 40000
    config.training.batch_size = 8
    config.training.log_every = 50
    config.training.checkpoint_every = 250
    config.training.evaluate_every = 1000
    config.training.pictures_every = 1000
    config.training.keep_every = 5000
    config.training.ema_decay = 0.998
    config.training.optimizers = ConfigDict()
    config.training.optimizers.generator = ConfigDict()
    config.training.optimizers.generator.algorithm = "muon"  # docs/recipe.md
    config.training.optimizers.generator.learning_rate = 8e-4
    config.training.optimizers.generator.b1 = 0.9
    config.training.optimizers.generator.b2 = 0.99
    config.training.optimizers.generator.schedule = "cosine"
    config.training.optimizers.generator.warmup = 200
    config.training.optimizers.generator.clip = 1.0
    config.training.optimizers.critic = ConfigDict()  # for those who give `adversarial` a weight
    config.training.optimizers.critic.learning_rate = 1e-4

    config.evaluation = ConfigDict()
    config.evaluation.holes_per_bucket = 11  # one for each held-out photograph
    return config
