"""Region normalisation on any folder of faces at 64x64, on a laptop, beside configs/faces64.py.

Expected: PSNR 21.34 dB at holes of 30-40% on 500 other faces after 2,500 of its 4,000 steps (`python -m
benchmarks.compared_systems --pictures=40000`); it was not run to the end here.
Hardware: made for two CPU cores.
Data: a folder of photographs and a folder of hole masks (white = hole), every second of which is held out.

    python -m scan_jax.main --config=configs/compare/region_norm64.py --config.data.path=FACES \\
        --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from ml_collections import ConfigDict
from scan_jax.configs.compare import gated_conv64


def get_config() -> ConfigDict:
    config = gated_conv64.get_config()  # the same losses and optimisers
    config.method.update(name="region_norm", width=24, blocks=8)
    return config
