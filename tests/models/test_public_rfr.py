"""RFR's generator against the public PyTorch code, on random weights that the importer reads.

git clone https://github.com/jingyuanli001/RFR-Inpainting
export SCAN_JAX_PUBLIC=$PWD
"""

import numpy as np
import pytest
from public_networks import public_module
from random_torch import SIZE, compare, draw, randomize, read_back
from torch_layers import to_numpy, to_torch

from scan_jax.models.rfr import Rfr
from scan_jax.weights import import_rfr


@pytest.mark.slow
def test_end_to_end(tmp_path, monkeypatch):
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
