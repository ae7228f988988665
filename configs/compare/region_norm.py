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
from scan_jax.configs import celeba


def get_config() -> ConfigDict:
    config = celeba.get_config()
    config.method = {"name": "region_norm", "width": 64, "critic_width": 64, "blocks": 8, "threshold": 0.8}
    config.method.loss = {"l1": 1.0, "adversarial": 0.1}
    config.training.batch_size = 14
    return config
