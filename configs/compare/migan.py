"""MI-GAN on CelebA-HQ at 256x256, with the released code's settings (Sargsyan et al. 2023).

Expected: none of SCAN's tables has a row of it.
Hardware: one GPU of 16 GB. Not yet run to the end here.
Data: CelebA-HQ (28,000 to train, 2,000 held out), the irregular masks of Liu et al. 2018, and a teacher, each once:

    python -m scan_jax prepare celeba_hq --source=CelebAMask-HQ.zip
    python -m scan_jax prepare irregular_masks --source=MASKS
    python -m scan_jax weights import lama big-lama.pt
    python -m scan_jax.main --config=configs/compare/migan.py --config.method.teacher=lama

The released code learns from Co-Mod-GAN, which is not here, and draws free-form holes. Without a teacher it learns from
the critic alone. Imported weights for 256 pixels are begun with by --config.training.start_from=migan.
"""

from ml_collections import ConfigDict
from scan_jax.configs import celeba


def get_config() -> ConfigDict:
    config = celeba.get_config()
    config.method = {"name": "migan", "width": 128, "halvings": 6, "max_channels": 512, "noise": 256}
    config.method.update(kernels="unit", critic_width=128, gradient_penalty=10.0, teacher="")
    config.method.loss = {"adversarial": 1.0, "distillation": 4.0, "l1": 0.0}
    config.training.update(steps=1_562_500, batch_size=32, ema_decay=0.9989)  # 50 million pictures; half after 20,000
    config.training.optimizers = {name: celeba.adam(1e-3, 0.0, 0.99) for name in ("generator", "critic")}
    return config
