"""SCAN on any folder of faces at 64x64, on a laptop.

Expected: see docs/results.md.
Hardware: two CPU cores, under ten minutes. More --config.training.steps go on learning.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/faces64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict
from scan_jax.configs import demo


def get_config() -> ConfigDict:
    config = demo.get_config()
    config.data = {"name": "photo_folder", "path": "", "size": 64}
    config.data.held_out_path = ""  # a second folder to measure on; else `held_out` of the first are set aside
    config.data.held_out = 500

    config.holes.update(name="mask_folder", path="")  # "free_form" needs no path

    config.method.update(width=24, regions=8)
    # perceptual = 0.1 and style = 250 want features: squeezenet is light, vgg19 the paper's
    config.method.features = {"name": "squeezenet", "path": ""}

    config.training.update(checkpoint_every=250, evaluate_every=500, pictures_every=1000, ema_decay=0.998)
    config.training.optimizers.generator.warmup = 100

    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
