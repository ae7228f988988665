"""SCAN as the paper has it, in two stages and without a prior, on any folder of faces at 64x64.

Expected: see docs/results.md; faces64.py learns faster.
Hardware: two CPU cores, an hour.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/scan64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict
from scan_jax.configs import faces64


def get_config() -> ConfigDict:
    config = faces64.get_config()
    del config.method.prior, config.method.stages, config.method.blocks
    config.method.loss.adversarial = 0.002
    config.training.update(steps=4900, checkpoint_every=500, evaluate_every=2450)
    generator = config.training.optimizers.generator
    del generator.algorithm
    generator.update(learning_rate=7e-4, b2=0.999)
    generator.update_clip = 0.5  # as measured; it did not save a run at 1.2e-3
    return config
