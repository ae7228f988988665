"""Masked attention on CelebAMask-HQ at 128x128 (Pehlivan and Sivuk, section III), losses everywhere, as in their code.

Expected (paper, Table I): PSNR 29.42 without attention, 30.26 self, 30.41 masked, 30.49 contextual with the loss.
Hardware: one GPU; the paper took 3 days on four GTX 1080 Ti. Not yet run to the end here.
Data: CelebAMask-HQ (28,000 to train, 2,000 held out) and VGG-19, each once:

    python -m scan_jax prepare celebamask_hq --source=CelebAMask-HQ.zip --size=128
    python -m scan_jax weights import vgg19 vgg19-dcbd9e11.pth
    python -m scan_jax.main --config=configs/celebamask.py[:attention=none|self|masked|contextual]
"""

from ml_collections import ConfigDict
from scan_jax.configs import celeba


def get_config(attention: str = "contextual") -> ConfigDict:
    config = celeba.get_config()
    config.data.update(name="celebamask_hq", size=128)  # "labelled_folder" takes any folder, by config.data.path
    config.holes = {"name": "free_form", "ratio": (0.01, 0.2)}

    features = config.method.features
    config.method = {"name": "masked_attention", "num_labels": 19, "attention": attention, "features": features}
    config.method.update(width=64, style_size=512, label_width=128, critic_width=64)
    config.method.target = 5e-4  # mu of eq. (4)
    config.method.update(region="everywhere", adversarial="log", compute_dtype="float32")
    config.method.loss = {"perceptual": 0.1, "pixel": 0.5, "adversarial": 1.0}  # eq. (6)
    config.method.loss.semantic_attention = 0.1 if attention == "contextual" else 0.0  # as Table I has it

    config.training.update(steps=70_000, batch_size=16)  # 40 epochs of 28,000
    config.training.update(checkpoint_every=2000, evaluate_every=10_000, pictures_every=2000)
    config.training.optimizers = {name: celeba.adam(2e-4, 0.5, 0.999) for name in ("generator", "critic")}

    config.evaluation.update(edges=(0.01, 0.05, 0.1, 0.15, 0.2), holes_per_bucket=50)
    config.evaluation.refine = ("style_search",)  # Table II
    return config
