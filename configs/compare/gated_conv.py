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
from scan_jax.configs import celeba


def get_config() -> ConfigDict:
    config = celeba.get_config()
    config.method = {"name": "gated_conv", "width": 48, "critic_width": 64, "compute_dtype": "float32"}
    config.method.loss = {"l1": 1.0, "adversarial": 1.0}
    config.training.batch_size = 16
    config.training.optimizers = {name: celeba.adam(1e-4, 0.5, 0.999) for name in ("generator", "critic")}
    return config
