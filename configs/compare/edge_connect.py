"""EdgeConnect on CelebA-HQ at 256x256, with the released code's settings (Nazeri et al. 2019).

Expected (SCAN, Table 1): PSNR 27.18 / 25.29 / 23.33 and SSIM 0.917 / 0.902 / 0.862 at holes of 20-30 / 30-40 / 40-50%.
Hardware: one GPU of 16 GB. Not yet run to the end here.
Data: CelebA-HQ (28,000 to train, 2,000 held out), the irregular masks of Liu et al. 2018, and VGG-19, each once:

    python -m scan_jax prepare celeba_hq --source=CelebAMask-HQ.zip
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax weights import vgg19 vgg19-dcbd9e11.pth
    python -m scan_jax.main --config=configs/compare/edge_connect.py

The released code trains each phase until its losses stand still, 2,000,000 steps at most, and says no number.
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
    config.method.name = "edge_connect"
    config.method.width = 64
    config.method.critic_width = 64
    config.method.blocks = 8
    config.method.sigma = 2.0  # of the blur under the edges
    config.method.loss = ConfigDict()
    config.method.loss.edge_adversarial = 1.0
    config.method.loss.feature_matching = 10.0
    config.method.loss.l1 = 1.0
    config.method.loss.perceptual = 0.1
    config.method.loss.style = 250.0
    config.method.loss.adversarial = 0.1
    config.method.features = ConfigDict()
    config.method.features.name = "vgg19"
    config.method.features.path = ""  # empty: where `scan_jax.weights import` puts it

    config.training = ConfigDict()
    config.training.steps = 600_000
    config.training.phases = ConfigDict()
    config.training.phases.edge = 0
    config.training.phases.completion = 200_000
    config.training.phases.joint = 500_000
    config.training.batch_size = 8
    config.training.log_every = 100
    config.training.checkpoint_every = 5000
    config.training.evaluate_every = 50_000
    config.training.pictures_every = 5000
    config.training.ema_decay = 0.999
    config.training.optimizers = ConfigDict()
    generators = {"edge": 1e-4, "completion": 1e-4, "joint": 1e-4}
    critics = {"edge_critic": 1e-5, "critic": 1e-5, "joint_edge_critic": 1e-5, "joint_critic": 1e-5}
    for turn, rate in {**generators, **critics}.items():
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = rate
        config.training.optimizers[turn].b1 = 0.0
        config.training.optimizers[turn].b2 = 0.9

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
