"""Gated convolution on CelebA-HQ at 256x256, with the public code's settings (Yu et al. 2019).

Expected: SCAN's Table 1 has no row of it; its Table 2, Paris StreetView: PSNR 25.54, SSIM 0.849, MAE 3.09%.
Hardware: one GPU of 16 GB; the public code ran on a P100. Not yet run to the end here.
Data: CelebA-HQ (28,000 to train, 2,000 held out) and the irregular masks of Liu et al. 2018, each once. The paper draws
free-form strokes over a rectangle instead; `config.holes.name = "free_form"` needs no files.

    python -m scan_jax prepare celeba_hq --source=CelebAMask-HQ.zip
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax.main --config=configs/compare/gated_conv.py
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
    config.method.name = "gated_conv"
    config.method.width = 48
    config.method.critic_width = 64
    config.method.compute_dtype = "float32"
    config.method.loss = ConfigDict()
    config.method.loss.l1 = 1.0
    config.method.loss.adversarial = 1.0

    config.training = ConfigDict()
    config.training.steps = 500_000
    config.training.batch_size = 16
    config.training.log_every = 100
    config.training.checkpoint_every = 5000
    config.training.evaluate_every = 50_000
    config.training.pictures_every = 5000
    config.training.ema_decay = 0.999
    config.training.optimizers = ConfigDict()
    for turn in ("generator", "critic"):
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = 1e-4
        config.training.optimizers[turn].b1 = 0.5
        config.training.optimizers[turn].b2 = 0.999

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
