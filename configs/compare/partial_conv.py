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
from scan_jax.configs.compare import rfr


def get_config() -> ConfigDict:
    config = rfr.get_config()  # the same losses and optimisers
    del config.method.recurrences, config.method.feature_input
    config.method.update(name="partial_conv", depth=7)
    config.training.steps = 1_000_000
    config.training.phases.finetune = 500_000
    return config
