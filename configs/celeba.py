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
    config.method.name = "scan"
    config.method.width = 64
    config.method.critic_width = 64
    config.method.regions = 16
    config.method.stages = 2
    config.method.attention = ("spatial", "channel")
    config.method.statistics = "weighted"  # the reading of eq. (3)
    config.method.scale = "mean"  # of CAN's correlations
    config.method.compute_dtype = "float32"
    config.method.loss = ConfigDict()  # L_total of section 3.3
    config.method.loss.orthogonality = 10.0
    config.method.loss.l1 = 1.0
    config.method.loss.perceptual = 0.1
    config.method.loss.style = 250.0
    config.method.loss.adversarial = 0.1
    config.method.features = ConfigDict()
    config.method.features.name = "vgg19"
    config.method.features.path = ""  # empty: where `scan_jax.weights import` puts it

    config.training = ConfigDict()
    config.training.steps = 500_000
    config.training.batch_size = 8
    config.training.log_every = 100
    config.training.checkpoint_every = 5000
    config.training.evaluate_every = 50_000
    config.training.pictures_every = 5000
    config.training.ema_decay = 0.999
    config.training.optimizers = ConfigDict()
    config.training.optimizers.generator = ConfigDict()
    config.training.optimizers.generator.learning_rate = 1e-4
    config.training.optimizers.generator.b1 = 0.0
    config.training.optimizers.generator.b2 = 0.9
    config.training.optimizers.critic = ConfigDict()
    config.training.optimizers.critic.learning_rate = 1e-5
    config.training.optimizers.critic.b1 = 0.0
    config.training.optimizers.critic.b2 = 0.9

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
