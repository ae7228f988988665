"""MI-GAN on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/migan64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES

A bundle of any other method is its teacher by --config.method.teacher=BUNDLE; without one it learns plain differences.
"""

from ml_collections import ConfigDict
from scan_jax.configs import faces64
from scan_jax.configs.celeba import adam


def get_config() -> ConfigDict:
    config = faces64.get_config()
    config.method = {"name": "migan", "width": 32, "halvings": 4, "max_channels": 128, "noise": 64, "critic_width": 16}
    config.method.update(gradient_penalty=1.0, teacher="")  # as much as so small photographs bear
    config.method.loss = {"adversarial": 0.1, "distillation": 4.0, "l1": 10.0}  # as short a training
    config.training.update(steps=4000, checkpoint_every=500, evaluate_every=2000)
    config.training.optimizers = {"generator": adam(2e-3, 0.0, 0.99), "critic": adam(1e-3, 0.0, 0.99)}
    config.training.optimizers.generator.update(schedule="cosine", warmup=100)
    return config
