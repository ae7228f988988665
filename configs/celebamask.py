"""Masked attention on CelebAMask-HQ at 128x128, the paper's setting (Pehlivan and Sivuk, section III).

Expected (paper, Table I): PSNR 29.42 without attention, 30.26 self, 30.41 masked, 30.49 contextual with the loss.
Hardware: one GPU; the paper took 3 days on four GTX 1080 Ti. Not yet run to the end here.
Data: CelebAMask-HQ (28,000 to train, 2,000 held out) and VGG-19, each once:

    python -m scan_jax prepare celebamask_hq --source=CelebAMask-HQ.zip --size=128
    python -m scan_jax weights import vgg19 vgg19-dcbd9e11.pth
    python -m scan_jax.main --config=configs/celebamask.py[:attention=none|self|masked|contextual]
"""

from ml_collections import ConfigDict


def get_config(attention: str = "contextual") -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "celebamask_hq"  # "labelled_folder" takes any folder, by config.data.path
    config.data.split = "celebahq_28k_2k"
    config.data.data_dir = ""  # of prepared datasets; empty: ~/tensorflow_datasets, or $TFDS_DATA_DIR
    config.data.size = 128

    config.holes = ConfigDict()
    config.holes.name = "free_form"
    config.holes.ratio = (0.01, 0.2)

    config.method = ConfigDict()
    config.method.name = "masked_attention"
    config.method.num_labels = 19
    config.method.width = 64
    config.method.style_size = 512
    config.method.label_width = 128
    config.method.critic_width = 64
    config.method.attention = attention
    config.method.target = 5e-4  # mu of eq. (4)
    config.method.region = "everywhere"
    config.method.adversarial = "log"
    config.method.compute_dtype = "float32"
    config.method.loss = ConfigDict()  # eq. (6)
    config.method.loss.perceptual = 0.1
    config.method.loss.pixel = 0.5
    config.method.loss.semantic_attention = 0.1 if attention == "contextual" else 0.0  # as Table I has it
    config.method.loss.adversarial = 1.0
    config.method.features = ConfigDict()
    config.method.features.name = "vgg19"
    config.method.features.path = ""  # empty: where `scan_jax.weights import` puts it

    config.training = ConfigDict()
    config.training.steps = 70_000  # 40 epochs of 28,000
    config.training.batch_size = 16
    config.training.log_every = 100
    config.training.checkpoint_every = 2000
    config.training.evaluate_every = 10_000
    config.training.pictures_every = 2000
    config.training.ema_decay = 0.999
    config.training.optimizers = ConfigDict()
    for turn in ("generator", "critic"):
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = 2e-4
        config.training.optimizers[turn].b1 = 0.5
        config.training.optimizers[turn].b2 = 0.999

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.01, 0.05, 0.1, 0.15, 0.2)
    config.evaluation.holes_per_bucket = 50
    config.evaluation.photographs = 0  # all held-out ones
    config.evaluation.refine = ("style_search",)  # Table II
    return config
