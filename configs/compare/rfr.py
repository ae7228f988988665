"""RFR on CelebA-HQ at 256x256, the public code's setting (Li et al. 2020).

Expected (masked attention, Table III): PSNR 33.56 and SSIM 0.981, holes as there.
Hardware: one GPU of 16 GB. Not yet run to the end here.
Data: CelebA-HQ (28,000 to train, 2,000 held out), the irregular masks of Liu et al. 2018, and VGG-16, each once:

    python -m scan_jax prepare celeba_hq --source=CelebAMask-HQ.zip
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax weights import vgg16 vgg16-397923af.pth
    python -m scan_jax.main --config=configs/compare/rfr.py
"""

from ml_collections import ConfigDict
from scan_jax.configs import celeba


def get_config() -> ConfigDict:
    config = celeba.get_config()
    config.method = {"name": "rfr", "width": 64, "recurrences": 6}
    config.method.feature_input = "plain"  # VGG-16 sees images without its normalisation
    config.method.loss = {"valid": 1.0, "hole": 6.0, "perceptual": 0.05, "style": 120.0, "total_variation": 0.1}
    config.method.features = {"name": "vgg16", "path": ""}  # empty: where `scan_jax weights import` puts it
    config.training.batch_size = 6
    config.training.phases = {"first": 0, "finetune": 350_000}
    config.training.optimizers = {
        "generator": celeba.adam(2e-4, 0.9, 0.999),
        "finetune": celeba.adam(5e-5, 0.9, 0.999),
    }
    return config
