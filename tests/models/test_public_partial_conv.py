"""The U-Net of partial convolutions against its public PyTorch port, on random weights that the importer reads.

git clone https://github.com/naoto0804/pytorch-inpainting-with-partial-conv
export SCAN_JAX_PUBLIC=$PWD
"""

import jax
import numpy as np
import pytest
from public_networks import public_module
from random_torch import randomize

from scan_jax.models.partial_conv_unet import PartialConvUNet
from scan_jax.ops.imagenet import denormalize, normalize
from scan_jax.weights.import_partial_conv import config, read

SIZE = 256


def draw():
    rng = np.random.default_rng(0)
    image = rng.random((1, SIZE, SIZE, 3), np.float32)
    known = (rng.random((1, SIZE, SIZE, 1)) > 0.2).astype(np.float32)
    known[:, 40:200, 60:180] = 0
    return image, known


def revive(network):
    """Kernels as many times larger as the values under them are, by whose number the port divides."""
    for module in network.modules():
        if hasattr(module, "input_conv"):
            module.input_conv.weight.data *= module.input_conv.weight[0].numel()
    return network


def test_end_to_end(tmp_path):
    net = public_module("pytorch-inpainting-with-partial-conv", "net")
    torch = pytest.importorskip("torch")
    public = revive(randomize(net.PConvUNet()))
    torch.save({"n_iter": 3, "model": public.state_dict(), "optimizer": {"state": {}}}, tmp_path / "3.pth")
    tree = read(tmp_path / "3.pth")
    (tmp_path / "3.pth").unlink()
    assert config(tree) == {"method": {"name": "partial_conv", "width": 64, "depth": 7}, "data": {"size": SIZE}}
    image, known = draw()
    seen = torch.tensor(np.asarray(normalize(image) * known).transpose(0, 3, 1, 2).copy())
    mask = torch.tensor(known.transpose(0, 3, 1, 2).copy()).expand(-1, 3, -1, -1)
    apply = jax.jit(PartialConvUNet().apply, static_argnames=("train", "mutable"))
    variables = {"params": tree["params"]["generator"], **tree["stats"]["generator"]}
    for train in (("encoder", "decoder"), ("decoder",), ()):
        public.freeze_enc_bn = "encoder" not in train
        public.train(bool(train))
        with torch.no_grad():
            wanted = np.asarray(denormalize(public(seen, mask)[0].numpy().transpose(0, 2, 3, 1)))
        found, changed = apply(variables, image, known, train=train, mutable=("batch_stats",))
        variables = {**variables, **changed}
        error = np.abs(found - wanted).max() / np.abs(wanted - wanted.mean()).max()
        print(f"statistics of {train or 'training'}: relative error {error:.1e}; deviation {wanted.std():.2f}")
        assert wanted.std() > 0.05 and error < 1e-4
