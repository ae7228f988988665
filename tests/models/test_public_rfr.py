"""RFR and the U-Net of partial convolutions against public PyTorch code, on random weights that the importers read.

git clone https://github.com/jingyuanli001/RFR-Inpainting
git clone https://github.com/naoto0804/pytorch-inpainting-with-partial-conv
export SCAN_JAX_PUBLIC=$PWD
"""

import numpy as np
import pytest
from public_networks import public_module
from random_torch import SIZE, compare, draw, randomize, read_back
from torch_layers import to_numpy, to_torch

from scan_jax.models.partial_conv_unet import PartialConvUNet
from scan_jax.models.rfr import Rfr
from scan_jax.ops.imagenet import denormalize, normalize
from scan_jax.weights import import_partial_conv, import_rfr


@pytest.mark.slow
def test_rfr(tmp_path, monkeypatch):
    module = public_module("RFR-Inpainting", "modules.RFRNet")
    monkeypatch.setattr("torch.Tensor.cuda", lambda self: self)  # its attention moves an unused kernel there
    network = randomize(module.RFRNet())
    config, variables = read_back(network, import_rfr, tmp_path / "g_3.pth", "generator")
    assert config == {"method": {"name": "rfr", "width": 64}, "data": {"size": SIZE}}
    image, known = draw(np.s_[20:230, 30:200])
    seen, mask = to_torch(image * known), to_torch(known).expand(-1, 3, -1, -1)

    def public(train):
        network.train(train)
        return to_numpy(network(seen, mask)[0])

    compare(Rfr(), variables, public, (image, known), (True, False), centred=False)


def revive(network):
    """Kernels as many times larger as the values under them are, by whose number the port divides."""
    for module in network.modules():
        if hasattr(module, "input_conv"):
            module.input_conv.weight.data *= module.input_conv.weight[0].numel()
    return network


@pytest.mark.slow
def test_partial_convolutions(tmp_path):
    network = revive(randomize(public_module("pytorch-inpainting-with-partial-conv", "net").PConvUNet()))
    config, variables = read_back(network, import_partial_conv, tmp_path / "3.pth", "model")
    assert config == {"method": {"name": "partial_conv", "width": 64, "depth": 7}, "data": {"size": SIZE}}
    image, known = draw(np.s_[40:200, 60:180])
    seen, mask = to_torch(normalize(image) * known), to_torch(known).expand(-1, 3, -1, -1)

    def public(train):
        network.freeze_enc_bn = "encoder" not in train
        network.train(bool(train))
        return denormalize(to_numpy(network(seen, mask)[0]))

    compare(PartialConvUNet(), variables, public, (image, known), (("encoder", "decoder"), ("decoder",), ()))
