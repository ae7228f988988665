"""LaMa-Fourier on CelebA-HQ at 256x256, with the released code's settings (Suvorov et al. 2022); Big-LaMa: blocks=18.

Expected: none of SCAN's tables has a row of it.
Hardware: one GPU of 16 GB. Not yet run to the end here.
Data: CelebA-HQ (28,000 to train, 2,000 held out), the irregular masks of Liu et al. 2018, and VGG-19, each once:

    python -m scan_jax prepare celeba_hq --source=CelebAMask-HQ.zip
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax weights import vgg19 vgg19-dcbd9e11.pth
    python -m scan_jax.main --config=configs/compare/lama.py

The released code looks through a segmentation network instead of VGG-19, and draws its holes:
--config.holes.name=lama_training --config.holes.ratio="(0.0,1.0)".
"""

from ml_collections import ConfigDict
from scan_jax.configs import celeba


def get_config() -> ConfigDict:
    config = celeba.get_config()
    config.method = {"name": "lama", "width": 64, "critic_width": 64, "blocks": 9, "features": config.method.features}
    config.method.loss = {"l1": 10.0, "perceptual": 0.1, "adversarial": 10.0, "feature_matching": 100.0}
    config.training.update(steps=104_000, batch_size=10)  # 40 times all photographs
    config.training.optimizers = {"generator": celeba.adam(1e-3, 0.9, 0.999), "critic": celeba.adam(1e-4, 0.9, 0.999)}
    for optimizer in config.training.optimizers.values():
        optimizer.clip = 1.0
    return config
