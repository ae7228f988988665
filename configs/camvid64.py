"""Masked attention on CamVid street frames with their 12 classes, 64x64, on a laptop.

Expected: PSNR 30.3, 27.8 and 25.8 dB at 10-20%, 20-30% and 30-40%.
Hardware: two CPU cores, minutes.
Data: CamVid in folders train/ and val/, each frame with its NAME_label.png of classes 0 to 11 (11 = void).

    python -m scan_jax.main --config=configs/camvid64.py[:attention=none|self|masked|contextual] \\
        --config.data.path=CAMVID
"""

from ml_collections import ConfigDict


def get_config(attention: str = "contextual") -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "labelled_folder"
    config.data.path = ""
    config.data.held_out = 0  # all of the held-out folder
    config.data.num_labels = 12
    config.data.size = 64

    config.holes = ConfigDict()
    config.holes.name = "free_form"
    config.holes.ratio = (0.1, 0.4)

    config.method = ConfigDict()
    config.method.name = "masked_attention"
    config.method.num_labels = 12
    config.method.width = 8
    config.method.style_size = 64
    config.method.label_width = 8
    config.method.critic_width = 8
    config.method.attention = attention
    config.method.prior = "both"
    config.method.target = 4e-3  # mu; at 2e-3, the paper's for so few pixels, all attend to the largest class
    config.method.loss = ConfigDict()
    config.method.loss.perceptual = 0.0  # VGG's weights would be a download
    config.method.loss.pixel = 0.5
    config.method.loss.semantic_attention = 0.1 if attention == "contextual" else 0.0  # as Table I has it
    config.method.loss.adversarial = 0.01
    config.method.style_search = ConfigDict()
    config.method.style_search.perceptual = 0.0

    config.training = ConfigDict()
    config.training.steps = 1500
    config.training.batch_size = 8
    config.training.log_every = 20
    config.training.checkpoint_every = 250
    config.training.pictures_every = 250
    config.training.ema_decay = 0.99
    config.training.optimizers = ConfigDict()
    config.training.optimizers.generator = ConfigDict()
    config.training.optimizers.generator.learning_rate = 2e-4
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
    return config
