"""Region normalisation on CelebA-HQ at 256x256, with the released code's settings (Yu et al. 2020).

Expected (SCAN, Table 1): PSNR 27.43 / 25.51 / 23.66 and SSIM 0.929 / 0.912 / 0.871 at holes of 20-30 / 30-40 / 40-50%.
Hardware: one GPU of 16 GB; the released code's example takes two. Not yet run to the end here.
Data: CelebA-HQ (28,000 to train, 2,000 held out) and the irregular masks of Liu et al. 2018, each once:

    python -m scan_jax prepare celeba_hq --source=CelebAMask-HQ.zip
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax.main --config=configs/compare/region_norm.py

The released code trains for 10 epochs and takes 0.8 of both learning rates after each from the second on; here they
stay as they begin, for as many steps as the other methods take.
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
    config.method.name = "region_norm"
    config.method.width = 64
    config.method.critic_width = 64
    config.method.blocks = 8
    config.method.threshold = 0.8
    config.method.loss = ConfigDict()
    config.method.loss.l1 = 1.0
    config.method.loss.adversarial = 0.1

    config.training = ConfigDict()
    config.training.steps = 500_000
    config.training.batch_size = 14
    config.training.log_every = 100
    config.training.checkpoint_every = 5000
    config.training.evaluate_every = 50_000
    config.training.pictures_every = 5000
    config.training.ema_decay = 0.999
    config.training.optimizers = ConfigDict()
    for turn, rate in {"generator": 1e-4, "critic": 1e-5}.items():
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = rate
        config.training.optimizers[turn].b1 = 0.0
        config.training.optimizers[turn].b2 = 0.9

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
