"""RFR's generator against the public PyTorch code, on random weights that the importer reads.

git clone https://github.com/jingyuanli001/RFR-Inpainting
export SCAN_JAX_PUBLIC=$PWD
"""

import jax
import numpy as np
import pytest
from public_networks import public_module
from random_torch import randomize

from scan_jax.models.rfr import Rfr
from scan_jax.weights.import_rfr import config, read

SIZE = 256


def draw():
    rng = np.random.default_rng(0)
    image = rng.random((1, SIZE, SIZE, 3), np.float32)
    known = (rng.random((1, SIZE, SIZE, 1)) > 0.2).astype(np.float32)
    known[:, 20:230, 30:200] = 0
    return image, known


def test_end_to_end(tmp_path, monkeypatch):
    module = public_module("RFR-Inpainting", "modules.RFRNet")
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self)  # its attention moves an unused kernel there
    public = randomize(module.RFRNet())
    torch.save({"n_iter": 3, "generator": public.state_dict(), "optimizer_G": {"state": {}}}, tmp_path / "g_3.pth")
    tree = read(tmp_path / "g_3.pth")
    (tmp_path / "g_3.pth").unlink()
    assert config(tree) == {"method": {"name": "rfr", "width": 64}, "data": {"size": SIZE}}
    image, known = draw()
    seen = torch.tensor((image * known).transpose(0, 3, 1, 2).copy())
    mask = torch.tensor(known.transpose(0, 3, 1, 2).copy()).expand(-1, 3, -1, -1)
    apply = jax.jit(Rfr().apply, static_argnames=("train", "mutable"))
    variables = {"params": tree["params"]["generator"], **tree["stats"]["generator"]}
    for train in (True, False):
        public.train(train)
        with torch.no_grad():
            wanted = public(seen, mask)[0].numpy().transpose(0, 2, 3, 1)
        found, changed = apply(variables, image, known, train=train, mutable=("batch_stats",))
        variables = {**variables, **changed}
        error = np.abs(found - wanted).max() / np.abs(wanted).max()
        print(f"train={train}: relative error {error:.1e}; deviation {wanted.std():.2f}")
        assert wanted.std() > 0.05 and error < 1e-4
