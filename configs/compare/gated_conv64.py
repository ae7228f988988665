"""Gated convolution on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: PSNR 23.52 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/gated_conv64.py --config.data.path=FACES \\
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
    config.method.name = "gated_conv"
    config.method.width = 16
    config.method.critic_width = 16
    config.method.loss = ConfigDict()
    config.method.loss.l1 = 1.0
    config.method.loss.adversarial = 0.01  # as much as so short a training bears

    config.training = ConfigDict()
    config.training.steps = 4000
    config.training.batch_size = 16
    config.training.log_every = 20
    config.training.checkpoint_every = 500
    config.training.evaluate_every = 2000
    config.training.pictures_every = 1000
    config.training.ema_decay = 0.998
    config.training.optimizers = ConfigDict()
    config.training.optimizers.generator = ConfigDict()
    config.training.optimizers.generator.learning_rate = 1e-3
    config.training.optimizers.generator.b1 = 0.5
    config.training.optimizers.generator.b2 = 0.999
    config.training.optimizers.generator.schedule = "cosine"
    config.training.optimizers.generator.warmup = 100
    config.training.optimizers.generator.clip = 1.0
    config.training.optimizers.critic = ConfigDict()
    config.training.optimizers.critic.learning_rate = 1e-4
    config.training.optimizers.critic.b1 = 0.5
    config.training.optimizers.critic.b2 = 0.999

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
