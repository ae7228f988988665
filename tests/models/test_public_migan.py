"""MI-GAN's generator against the public PyTorch code, on random weights that the importer reads.

git clone https://github.com/Picsart-AI-Research/MI-GAN
export SCAN_JAX_PUBLIC=$PWD
"""

import numpy as np
import pytest
import torch_migan
from public_networks import public_module
from random_torch import compare, draw
from torch_layers import to_numpy, to_torch, torch

from scan_jax.methods.api import build_method
from scan_jax.weights import import_migan


@pytest.mark.slow
@pytest.mark.parametrize("side", [256, 512])
def test_both_published_sizes(tmp_path, side):
    network = public_module("MI-GAN", "lib.model_zoo.migan_inference").Generator(side).eval()
    sides = [4 * 2**power for power in range(side.bit_length() - 3, -1, -1)]
    state = torch_migan.draw(sides, [min(32768 // one, 512) for one in sides])
    missing, unknown = network.load_state_dict(state, strict=False)
    assert not unknown and all(name.endswith("filter_const") for name in missing)
    torch.save(network.state_dict(), tmp_path / "migan.pt")
    tree = import_migan.read(tmp_path / "migan.pt")
    config = import_migan.config(tree)
    section = {"name": "migan", "width": 32768 // side, "halvings": len(sides) - 1, "max_channels": 512, "noise": side}
    assert config == {"method": {**section, "kernels": "unit"}, "data": {"size": side}}
    image, known = draw(np.s_[20:230, 30:200], side)
    seen = to_torch(np.concatenate([known - 0.5, (2 * image - 1) * known], axis=-1))
    ours = build_method(config["method"]).generator

    class Largest:
        """What is compared."""

        @staticmethod
        def apply(variables, image, known, train, mutable):
            pictures, changed = ours.apply(variables, image, known, train=train, mutable=mutable)
            return pictures[-1], changed

    variables = {"params": tree["params"]["generator"], **tree["stats"]["generator"]}
    compare(Largest, variables, lambda train: to_numpy(network(seen)) / 2 + 0.5, (image, known), (False,), limit=1e-5)
