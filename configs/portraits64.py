"""Masked attention on synthetic portraits with their 19 classes, 64x64: all of the second paper on a laptop.

Expected: PSNR 27.2, 25.2 and 23.3 dB at 10-20%, 20-30% and 30-40% (seeds 0 and 1, before the style search).
Hardware: two CPU cores, minutes.

    python -m scan_jax.main --config=configs/portraits64.py[:attention=none|self|masked|contextual]
"""

from ml_collections import ConfigDict


def get_config(attention: str = "contextual") -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "synthetic_portraits"  # drawn, all 19 CelebAMask-HQ classes
    config.data.size = 64
    config.data.count = 2000
    config.data.held_out = 100

    config.holes = ConfigDict()
    config.holes.name = "free_form"
    config.holes.ratio = (0.1, 0.4)

    config.method = ConfigDict()
    config.method.name = "masked_attention"
    config.method.num_labels = 19
    config.method.width = 8
    config.method.style_size = 32
    config.method.label_width = 16
    config.method.critic_width = 16
    config.method.attention = attention
    config.method.target = 4e-3  # mu; at 2e-3, the paper's for so few pixels, all attend to the largest class
    config.method.loss = ConfigDict()
    config.method.loss.perceptual = 0.0  # VGG's weights would be a download
    config.method.loss.pixel = 0.5
    config.method.loss.semantic_attention = 1.0 if attention == "contextual" else 0.0  # Table I; the paper's is 0.1
    config.method.loss.adversarial = 0.01
    config.method.style_search = ConfigDict()
    config.method.style_search.perceptual = 0.0

    config.training = ConfigDict()
    config.training.steps = 600
    config.training.batch_size = 8
    config.training.log_every = 20
    config.training.checkpoint_every = 200
    config.training.pictures_every = 200
    config.training.ema_decay = 0.99
    config.training.optimizers = ConfigDict()
    config.training.optimizers.generator = ConfigDict()
    config.training.optimizers.generator.learning_rate = 1e-3
    config.training.optimizers.generator.b1 = 0.5
    config.training.optimizers.generator.b2 = 0.999
    config.training.optimizers.generator.schedule = "cosine"
    config.training.optimizers.generator.warmup = 50
    config.training.optimizers.generator.clip = 1.0
    config.training.optimizers.critic = ConfigDict()
    config.training.optimizers.critic.learning_rate = 2e-4
    config.training.optimizers.critic.b1 = 0.5
    config.training.optimizers.critic.b2 = 0.999

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4)
    config.evaluation.holes_per_bucket = 50
    config.evaluation.refine = ("style_search",)
    return config
