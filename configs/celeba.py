"""SCAN on CelebA-HQ at 256x256, the paper's setting (Chen et al. 2021, section 4).

Expected (paper, Table 1): PSNR 28.54 / 26.91 / 24.69 and SSIM 0.953 / 0.933 / 0.894 at holes of 20-30 / 30-40 / 40-50%.
Hardware: one GPU; the paper trained on an RTX 2080 Ti "until the generators converge". Not yet run to the end here.
Data: CelebA-HQ (28,000 to train, 2,000 held out), the irregular masks of Liu et al. 2018, and VGG-19, each once:

    python -m scan_jax prepare celeba_hq --source=CelebAMask-HQ.zip
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax weights import vgg19 vgg19-dcbd9e11.pth
    python -m scan_jax.main --config=configs/celeba.py
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = {"name": "celeba_hq", "size": 256}  # "photo_folder" takes any folder, by config.data.path
    config.data.split = "celebahq_28k_2k"
    config.data.data_dir = ""  # of prepared datasets; empty: ~/tensorflow_datasets, or $TFDS_DATA_DIR

    config.holes = {"name": "irregular_masks", "ratio": (0.01, 0.6)}  # "mask_folder" takes any, by config.holes.path
    config.holes.data_dir = ""

    config.method = {"name": "scan", "width": 64, "critic_width": 64, "regions": 16, "stages": 2}
    config.method.attention = ("spatial", "channel")
    config.method.statistics = "weighted"  # the reading of eq. (3)
    config.method.scale = "mean"  # of CAN's correlations
    config.method.compute_dtype = "float32"
    config.method.loss = {"orthogonality": 10.0, "l1": 1.0}  # L_total of section 3.3
    config.method.loss.update(perceptual=0.1, style=250.0, adversarial=0.1)
    config.method.features = {"name": "vgg19", "path": ""}  # empty: where `scan_jax weights import` puts it

    config.training = {"steps": 500_000, "batch_size": 8, "ema_decay": 0.999}
    config.training.update(log_every=100, checkpoint_every=5000, evaluate_every=50_000, pictures_every=5000)
    config.training.optimizers = {"generator": adam(1e-4, 0.0, 0.9), "critic": adam(1e-5, 0.0, 0.9)}

    config.evaluation = {"edges": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)}
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config


def adam(learning_rate: float, b1: float, b2: float) -> ConfigDict:
    """The optimiser of an update."""
    return ConfigDict({"learning_rate": learning_rate, "b1": b1, "b2": b2})
