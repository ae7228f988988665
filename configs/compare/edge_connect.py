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
from scan_jax.configs import celeba


def get_config() -> ConfigDict:
    config = celeba.get_config()
    features = config.method.features
    config.method = {"name": "edge_connect", "width": 64, "critic_width": 64, "blocks": 8, "features": features}
    config.method.sigma = 2.0  # of the blur under the edges
    config.method.loss = {"edge_adversarial": 1.0, "feature_matching": 10.0}
    config.method.loss.update(l1=1.0, perceptual=0.1, style=250.0, adversarial=0.1)
    config.training.steps = 600_000
    config.training.phases = {"edge": 0, "completion": 200_000, "joint": 500_000}
    config.training.optimizers = {}
    for name in ("edge", "completion", "joint"):
        config.training.optimizers[name] = celeba.adam(1e-4, 0.0, 0.9)
    for name in ("edge_critic", "critic", "joint_edge_critic", "joint_critic"):
        config.training.optimizers[name] = celeba.adam(1e-5, 0.0, 0.9)
    return config
