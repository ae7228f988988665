"""LaMa's generator against the public PyTorch code, on random weights that the importer reads.

git clone https://github.com/advimman/lama
export SCAN_JAX_PUBLIC=$PWD
"""

import sys
import types

import numpy as np
import pytest
from public_networks import public_module
from random_torch import compare, draw, randomize, read_back
from torch_layers import to_numpy, to_torch, torch

from scan_jax.models.lama import LamaGenerator
from scan_jax.weights import import_lama

BIG = {"ratio_gin": 0.75, "ratio_gout": 0.75, "enable_lfu": False}  # its resnet_conv_kwargs
PLAIN = {"ratio_gin": 0, "ratio_gout": 0, "enable_lfu": False}


@pytest.mark.slow
def test_big_lama(tmp_path, monkeypatch):
    for package, name in (("kornia.geometry.transform", "rotate"), ("pytorch_lightning", "seed_everything")):
        stub = types.ModuleType(package)
        setattr(stub, name, None)  # imported there, and not for the generator
        monkeypatch.setitem(sys.modules, package, stub)
    module = public_module("lama", "saicinpainting.training.modules.ffc")
    kinds = {"init_conv_kwargs": PLAIN, "downsample_conv_kwargs": PLAIN, "resnet_conv_kwargs": BIG}
    network = randomize(module.FFCResNetGenerator(4, 3, n_blocks=18, add_out_act="sigmoid", **kinds))
    image, known = draw(np.s_[20:230, 30:200])
    seen = to_torch(np.concatenate([image * known, 1 - known], axis=-1))
    tame(network, seen)
    config, variables = read_back(network, import_lama, tmp_path / "best.ckpt", "state_dict")
    assert config == {"method": {"name": "lama", "width": 64, "blocks": 18}, "data": {"size": 512}}
    network.double()  # with one image, its own rounding in training is a hundred times the rest

    def public(train):
        with torch.no_grad():
            return to_numpy(network.train(train)(seen.double()))

    compare(LamaGenerator(), variables, public, (image, known), (False, True))


def tame(network, seen):
    """Blocks that add little, and the running statistics of this image: else so many sums saturate the end."""
    for block in network.model[5:23]:
        for norm in (block.conv2.bn_l, block.conv2.bn_g):
            norm.weight.data *= 0.2
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(seen)
    for norm in norms:
        norm.momentum = 0.1
