"""Masked attention on any folder of faces at 64x64, for the comparison with the other methods.

Photographs without labels have one class, so that the whole image is painted from one style: what the method needs
labels for is not there, and its numbers here say little about it. configs/camvid64.py trains it on what it is made for.
Expected: PSNR 18.93 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: as configs/faces64.py.

    python -m scan_jax.main --config=configs/compare/masked_attention64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict
from scan_jax.configs import faces64
from scan_jax.configs.celeba import adam


def get_config() -> ConfigDict:
    config = faces64.get_config()
    config.data.labels = "one"
    config.method = {"name": "masked_attention", "num_labels": 1}
    config.method.update(width=8, style_size=128, label_width=8, critic_width=8)
    config.method.loss = {"perceptual": 0.0, "adversarial": 0.01}  # as the others of this comparison: no features
    config.method.loss.semantic_attention = 0.0  # of one class there is nothing to say
    config.method.style_search = {"perceptual": 0.0}
    config.training.update(steps=4000, checkpoint_every=500)
    del config.training.evaluate_every
    config.training.optimizers = {name: adam(2e-4, 0.5, 0.999) for name in ("generator", "critic")}
    for optimizer in config.training.optimizers.values():
        optimizer.clip = 1.0
    return config
