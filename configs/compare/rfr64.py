"""RFR on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: PSNR 24.32 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/rfr64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict
from scan_jax.configs import faces64
from scan_jax.configs.celeba import adam


def get_config() -> ConfigDict:
    config = faces64.get_config()
    config.method = {"name": "rfr", "width": 16, "features": config.method.features}
    config.method.recurrences = 4  # enough at this size; 6 as published take half as long again
    config.method.feature_input = "normalized"  # what SqueezeNet wants
    config.method.loss = {"perceptual": 0.0, "style": 0.0}  # 0.05 and 120 want features; vgg16 is the paper's
    config.training.update(steps=4000, checkpoint_every=500, evaluate_every=2000)
    config.training.phases = {"first": 0, "finetune": 3000}
    config.training.optimizers = {"generator": adam(1e-3, 0.9, 0.999), "finetune": adam(2.5e-4, 0.9, 0.999)}
    config.training.optimizers.generator.update(warmup=100, clip=1.0)
    config.training.optimizers.finetune.update(schedule="cosine", clip=1.0)
    return config
