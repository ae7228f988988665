"""SCAN on Paris StreetView at 256x256, the paper's setting (Chen et al. 2021, section 4).

Expected (paper, Table 1): PSNR 28.76 / 27.09 / 25.27 and SSIM 0.918 / 0.873 / 0.840 at holes of 20-30 / 30-40 / 40-50%;
Table 2 adds an MAE of 2.53% at 30-40%.
Hardware: one GPU; the paper trained on an RTX 2080 Ti "until the generators converge". Not yet run to the end here.
Data: 14,900 photographs to train with and 100 to measure on, which their authors hand out on request, the irregular
masks of Liu et al. 2018, and VGG-19, each once:

    python -m scan_jax prepare paris_street_view --source=PARIS
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax weights import vgg19 vgg19-dcbd9e11.pth
    python -m scan_jax.main --config=configs/paris.py
"""

from ml_collections import ConfigDict
from scan_jax.configs import celeba


def get_config() -> ConfigDict:
    config = celeba.get_config()
    config.data.name = "paris_street_view"
    config.data.crop = "centre"  # as prepared
    del config.data.split
    return config
