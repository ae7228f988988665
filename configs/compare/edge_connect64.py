"""EdgeConnect on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: PSNR 22.01 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/edge_connect64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict
from scan_jax.configs import faces64
from scan_jax.configs.celeba import adam


def get_config() -> ConfigDict:
    config = faces64.get_config()
    config.method = {"name": "edge_connect", "width": 20, "critic_width": 16, "features": config.method.features}
    config.method.blocks = 6
    config.method.sigma = 1.0  # of the blur under the edges; 2 at 256x256
    config.method.loss = {"perceptual": 0.0, "style": 0.0}  # 0.1 and 250 want features; vgg19 is the paper's
    config.method.loss.adversarial = 0.01  # as much as so short a training bears
    config.training.update(steps=4000, checkpoint_every=500, evaluate_every=2000)
    config.training.phases = {"edge": 0, "completion": 800, "joint": 3000}
    config.training.optimizers = {}
    for name, rate in {"edge": 7e-4, "completion": 1e-3, "joint": 3e-4}.items():
        config.training.optimizers[name] = adam(rate, 0.5, 0.999)
        config.training.optimizers[name].update(schedule="cosine", warmup=100, clip=1.0)
    for name in ("edge_critic", "critic", "joint_edge_critic", "joint_critic"):
        config.training.optimizers[name] = adam(1e-4, 0.5, 0.999)
    return config
