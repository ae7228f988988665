"""Public PyTorch networks with batch normalisation, randomized, and ours with their weights on one photograph."""

import jax
import numpy as np
from torch_layers import torch

SIZE = 256


def draw(hole, size=SIZE):
    """A photograph of noise, [1,S,S,3], and a hole of noise and of one piece, [1,S,S,1]."""
    rng = np.random.default_rng(0)
    image, known = rng.random((1, size, size, 3), np.float32), np.float32(rng.random((1, size, size, 1)) > 0.2)
    known[:, *hole] = 0
    return image, known


def randomize(network):
    """Kernels by the size of their inputs, scales about 1, biases about 0, statistics that count; constants stay."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in (p for p in network.parameters() if p.requires_grad):
            if parameter.ndim > 1:
                torch.nn.init.kaiming_normal_(parameter)
            else:
                parameter.uniform_(-0.2, 0.2)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
    return network


def read_back(public, importer, path, section):
    """What our importer makes of a training's file with these weights: the config and the generator's variables."""
    torch.save({"n_iter": 3, section: public.state_dict(), "optimizer": {"state": {}}}, path)
    tree = importer.read(path)
    path.unlink()  # 0.1 GB and more
    return importer.config(tree), {"params": tree["params"]["generator"], **tree["stats"]["generator"]}


def compare(ours, variables, public, given, phases, *, centred=True, limit=1e-4):
    """Ours on `given` beside `public(phase)` [1,H,W,3] in each phase, statistics moving on; prints the errors."""
    apply = jax.jit(ours.apply, static_argnames=("train", "mutable"))
    for train in phases:
        with torch.no_grad():
            wanted = np.asarray(public(train))
        found, changed = apply(variables, *given, train=train, mutable=("batch_stats",))
        variables = {**variables, **changed}
        error = np.abs(found - wanted).max() / np.abs(wanted - centred * wanted.mean()).max()
        print(f"train={train}: relative error {error:.1e}; deviation {wanted.std():.2f}")
        assert wanted.std() > 0.05 and error < limit
