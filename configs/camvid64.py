"""Masked attention on CamVid street frames with their 12 classes, 64x64, on a laptop.

Expected: PSNR 30.3, 27.8 and 25.8 dB at 10-20%, 20-30% and 30-40%.
Hardware: two CPU cores, minutes.
Data: CamVid in folders train/ and val/, each frame with its NAME_label.png of classes 0 to 11 (11 = void).

    python -m scan_jax.main --config=configs/camvid64.py[:attention=none|self|masked|contextual] \\
        --config.data.path=CAMVID
"""

from ml_collections import ConfigDict
from scan_jax.configs import portraits64


def get_config(attention: str = "contextual") -> ConfigDict:
    config = portraits64.get_config(attention)
    config.data = {"name": "labelled_folder", "path": "", "num_labels": 12, "size": 64}
    config.data.held_out = 0  # all of the held-out folder

    config.method.update(num_labels=12, style_size=64, label_width=8, critic_width=8, prior="both")
    config.method.loss.semantic_attention = 0.1 if attention == "contextual" else 0.0  # as Table I has it

    config.training.update(steps=1500, checkpoint_every=250, pictures_every=250)
    config.training.optimizers.generator.learning_rate = 2e-4
    del config.evaluation.refine
    return config
