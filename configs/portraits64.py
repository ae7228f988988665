"""Masked attention on synthetic portraits with their 19 classes, 64x64: all of the second paper on a laptop.

Expected: PSNR 27.2, 25.2 and 23.3 dB at 10-20%, 20-30% and 30-40% (seeds 0 and 1, before the style search).
Hardware: two CPU cores, minutes.

    python -m scan_jax.main --config=configs/portraits64.py[:attention=none|self|masked|contextual]
"""

from ml_collections import ConfigDict
from scan_jax.configs import demo
from scan_jax.configs.celeba import adam


def get_config(attention: str = "contextual") -> ConfigDict:
    config = demo.get_config()
    config.holes.ratio = (0.1, 0.4)

    config.method = {"name": "masked_attention", "num_labels": 19, "attention": attention}
    config.method.update(width=8, style_size=32, label_width=16, critic_width=16)
    config.method.target = 4e-3  # mu; at 2e-3, the paper's for so few pixels, all attend to the largest class
    config.method.loss = {"perceptual": 0.0, "pixel": 0.5, "adversarial": 0.01}  # VGG's weights would be a download
    config.method.loss.semantic_attention = 1.0 if attention == "contextual" else 0.0  # Table I; the paper's is 0.1
    config.method.style_search = {"perceptual": 0.0}

    config.training.update(steps=600, batch_size=8)
    config.training.optimizers = {"generator": adam(1e-3, 0.5, 0.999), "critic": adam(2e-4, 0.5, 0.999)}
    config.training.optimizers.generator.update(schedule="cosine", warmup=50, clip=1.0)

    config.evaluation.update(edges=(0.1, 0.2, 0.3, 0.4), refine=("style_search",))
    return config
