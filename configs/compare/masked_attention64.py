"""Masked attention on any folder of faces at 64x64, for the comparison with the other methods.

Photographs without labels have one class, so that the whole image is painted from one style: what the method needs
labels for is not there, and its numbers here say little about it. configs/camvid64.py trains it on what it is made for.
Expected: PSNR 18.93 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: as configs/faces64.py.

    python -m scan_jax.main --config=configs/compare/masked_attention64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "photo_folder"
    config.data.path = ""
    config.data.held_out_path = ""
    config.data.held_out = 500
    config.data.size = 64
    config.data.labels = "one"

    config.holes = ConfigDict()
    config.holes.name = "mask_folder"
    config.holes.path = ""
    config.holes.ratio = (0.1, 0.6)

    config.method = ConfigDict()
    config.method.name = "masked_attention"
    config.method.num_labels = 1
    config.method.width = 8
    config.method.style_size = 128
    config.method.label_width = 8
    config.method.critic_width = 8
    config.method.loss = ConfigDict()
    config.method.loss.perceptual = 0.0  # as the others of this comparison: no feature network
    config.method.loss.semantic_attention = 0.0  # of one class there is nothing to say
    config.method.loss.adversarial = 0.01
    config.method.style_search = ConfigDict()
    config.method.style_search.perceptual = 0.0

    config.training = ConfigDict()
    config.training.steps = 4000
    config.training.batch_size = 16
    config.training.log_every = 20
    config.training.checkpoint_every = 500
    config.training.pictures_every = 1000
    config.training.ema_decay = 0.998
    config.training.optimizers = ConfigDict()
    for turn in ("generator", "critic"):
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = 2e-4
        config.training.optimizers[turn].b1 = 0.5
        config.training.optimizers[turn].b2 = 0.999
        config.training.optimizers[turn].clip = 1.0

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0
    config.evaluation.photographs = 0
    return config
