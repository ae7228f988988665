"""RFR on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: PSNR 24.32 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/rfr64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "photo_folder"
    config.data.path = ""
    config.data.held_out_path = ""  # a second folder to measure on; else `held_out` of the first are set aside
    config.data.held_out = 500
    config.data.size = 64

    config.holes = ConfigDict()
    config.holes.name = "mask_folder"  # "free_form" needs no path
    config.holes.path = ""
    config.holes.ratio = (0.1, 0.6)

    config.method = ConfigDict()
    config.method.name = "rfr"
    config.method.width = 16
    config.method.recurrences = 4  # enough at this size; 6 as published take half as long again
    config.method.feature_input = "normalized"  # what SqueezeNet wants
    config.method.loss = ConfigDict()
    config.method.loss.perceptual = 0.0  # 0.05 and style 120 want features: squeezenet is light, vgg16 the paper's
    config.method.loss.style = 0.0
    config.method.features = ConfigDict()
    config.method.features.name = "squeezenet"
    config.method.features.path = ""

    config.training = ConfigDict()
    config.training.steps = 4000
    config.training.phases = ConfigDict({"first": 0, "finetune": 3000})
    config.training.batch_size = 16
    config.training.log_every = 20
    config.training.checkpoint_every = 500
    config.training.evaluate_every = 2000
    config.training.pictures_every = 1000
    config.training.ema_decay = 0.998
    config.training.optimizers = ConfigDict()
    for turn, learning_rate in (("generator", 1e-3), ("finetune", 2.5e-4)):
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = learning_rate
        config.training.optimizers[turn].b1 = 0.9
        config.training.optimizers[turn].b2 = 0.999
        config.training.optimizers[turn].clip = 1.0
    config.training.optimizers.generator.warmup = 100
    config.training.optimizers.finetune.schedule = "cosine"

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
