"""EdgeConnect on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: PSNR 22.01 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/edge_connect64.py --config.data.path=FACES \\
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
    config.method.name = "edge_connect"
    config.method.width = 20
    config.method.critic_width = 16
    config.method.blocks = 6
    config.method.sigma = 1.0  # of the blur under the edges; 2 at 256x256
    config.method.loss = ConfigDict()
    config.method.loss.perceptual = 0.0  # 0.1 and style 250 want features: squeezenet is light, vgg19 the paper's
    config.method.loss.style = 0.0
    config.method.loss.adversarial = 0.01  # as much as so short a training bears
    config.method.features = ConfigDict()
    config.method.features.name = "squeezenet"
    config.method.features.path = ""

    config.training = ConfigDict()
    config.training.steps = 4000
    config.training.phases = ConfigDict({"edge": 0, "completion": 800, "joint": 3000})
    config.training.batch_size = 16
    config.training.log_every = 20
    config.training.checkpoint_every = 500
    config.training.evaluate_every = 2000
    config.training.pictures_every = 1000
    config.training.ema_decay = 0.998
    config.training.optimizers = ConfigDict()
    for turn, rate in {"edge": 7e-4, "completion": 1e-3, "joint": 3e-4}.items():
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = rate
        config.training.optimizers[turn].b1 = 0.5
        config.training.optimizers[turn].b2 = 0.999
        config.training.optimizers[turn].schedule = "cosine"
        config.training.optimizers[turn].warmup = 100
        config.training.optimizers[turn].clip = 1.0
    for turn in ("edge_critic", "critic", "joint_edge_critic", "joint_critic"):
        config.training.optimizers[turn] = ConfigDict()
        config.training.optimizers[turn].learning_rate = 1e-4
        config.training.optimizers[turn].b1 = 0.5
        config.training.optimizers[turn].b2 = 0.999

    config.evaluation = ConfigDict()
    config.evaluation.edges = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    config.evaluation.holes_per_bucket = 0  # all held-out masks of the bucket
    config.evaluation.photographs = 0  # all held-out ones
    return config
