"""LaMa on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/lama64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict
from scan_jax.configs import faces64
from scan_jax.configs.celeba import adam


def get_config() -> ConfigDict:
    config = faces64.get_config()
    config.method = {"name": "lama", "width": 16, "critic_width": 16, "features": config.method.features}
    config.method.blocks = 6
    config.method.loss = {"l1": 10.0, "perceptual": 0.0}  # 0.1 wants features; vgg19 is the other methods'
    config.method.loss.update(adversarial=1.0, feature_matching=10.0)  # as much as so short a training bears
    config.training.update(steps=4000, checkpoint_every=500, evaluate_every=2000)
    config.training.optimizers = {"generator": adam(1e-3, 0.9, 0.999), "critic": adam(1e-4, 0.9, 0.999)}
    config.training.optimizers.generator.update(schedule="cosine", warmup=100, clip=1.0)
    return config
