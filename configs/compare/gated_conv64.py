"""Gated convolution on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: PSNR 23.52 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/gated_conv64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict
from scan_jax.configs import faces64
from scan_jax.configs.celeba import adam


def get_config() -> ConfigDict:
    config = faces64.get_config()
    config.method = {"name": "gated_conv", "width": 16, "critic_width": 16}
    config.method.loss = {"l1": 1.0, "adversarial": 0.01}  # as much as so short a training bears
    config.training.update(steps=4000, checkpoint_every=500, evaluate_every=2000)
    config.training.optimizers = {"generator": adam(1e-3, 0.5, 0.999), "critic": adam(1e-4, 0.5, 0.999)}
    config.training.optimizers.generator.update(schedule="cosine", warmup=100, clip=1.0)
    return config
