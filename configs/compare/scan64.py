"""SCAN as the paper has it, in two stages and without a prior, on any folder of faces at 64x64.

Expected: see docs/results.md; faces64.py learns faster.
Hardware: two CPU cores, an hour.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/scan64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "photo_folder"
    config.data.path = ""
    config.data.held_out_path = ""  # a second folder to measure on; else `held_out` of the first are set aside
    config.data.held_out = 500
    config.data.size = 64

    config.holes = ConfigDict()
    config.holes.name = "mask_folder"  # "free_form" needs no path
    config.holes.path = ""
    config.holes.ratio = (0.1, 0.6)

    config.method = ConfigDict()
    config.method.name = "scan"
    config.method.width = 24
    config.method.critic_width = 16
    config.method.regions = 8
    config.method.loss = ConfigDict()
    config.method.loss.perceptual = 0.0  # 0.1 and style 250 want features: squeezenet is light, vgg19 the paper's
    config.method.loss.style = 0.0
    config.method.loss.adversarial = 0.002
    config.method.features = ConfigDict()
    config.method.features.name = "squeezenet"
    config.method.features.path = ""

    config.training = ConfigDict()
    config.training.steps = 4900
    config.training.batch_size = 16
    config.training.log_every = 20
    config.training.checkpoint_every = 500
    config.training.evaluate_every = 2450
    config.training.pictures_every = 1000
    config.training.ema_decay = 0.998
    config.training.optimizers = ConfigDict()
    config.training.optimizers.generator = ConfigDict()
    config.training.optimizers.generator.learning_rate = 7e-4
    config.training.optimizers.generator.b1 = 0.9
    config.training.optimizers.generator.b2 = 0.999
    config.training.optimizers.generator.schedule = "cosine"
    config.training.optimizers.generator.warmup = 100
    config.training.optimizers.generator.clip = 1.0
    config.training.optimizers.generator.update_clip = 0.5  # as measured; it did not save a run at 1.2e-3
    config.training.optimizers.critic = ConfigDict()
    config.training.optimizers.critic.learning_rate = 1e-4

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
