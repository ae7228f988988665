"""Partial convolution on CelebA-HQ at 256x256: the paper's setting (Liu et al. 2018), the public port's steps.

Expected: SCAN's Table 1 has no row of it; its Table 2, Paris StreetView: PSNR 25.46, SSIM 0.835, MAE 3.13%.
Hardware: one GPU of 16 GB. Not yet run to the end here.
Data: CelebA-HQ (28,000 to train, 2,000 held out), the irregular masks of Liu et al. 2018, and VGG-16, each once:

    python -m scan_jax prepare celeba_hq --source=CelebAMask-HQ.zip
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax weights import vgg16 vgg16-397923af.pth
    python -m scan_jax.main --config=configs/compare/partial_conv.py
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "celeba_hq"  # "photo_folder" takes any folder, by config.data.path
    config.data.split = "celebahq_28k_2k"
    config.data.data_dir = ""  # of prepared datasets; empty: ~/tensorflow_datasets, or $TFDS_DATA_DIR
    config.data.size = 256

    config.holes = ConfigDict()
    config.holes.name = "irregular_masks"  # "mask_folder" takes any folder, by config.holes.path
    config.holes.data_dir = ""
    config.holes.ratio = (0.01, 0.6)

    config.method = ConfigDict()
    config.method.name = "partial_conv"
    config.method.width = 64
    config.method.depth = 7
    config.method.loss = ConfigDict()
    config.method.loss.valid = 1.0
    config.method.loss.hole = 6.0
    config.method.loss.perceptual = 0.05
    config.method.loss.style = 120.0
    config.method.loss.total_variation = 0.1
    config.method.features = ConfigDict()
    config.method.features.name = "vgg16"
    config.method.features.path = ""  # empty: where `scan_jax.weights import` puts it

    config.training = ConfigDict()
    config.training.steps = 1_000_000
    config.training.phases = ConfigDict({"first": 0, "finetune": 500_000})
    config.training.batch_size = 6
    config.training.log_every = 100
    config.training.checkpoint_every = 5000
    config.training.evaluate_every = 50_000
    config.training.pictures_every = 5000
    config.training.ema_decay = 0.999
    config.training.optimizers = ConfigDict()
    for turn, learning_rate in (("generator", 2e-4), ("finetune", 5e-5)):
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = learning_rate
        config.training.optimizers[turn].b1 = 0.9
        config.training.optimizers[turn].b2 = 0.999

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
