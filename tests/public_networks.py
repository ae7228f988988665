"""The public implementations that ours are measured by, with random weights; what is not installed is skipped."""

import contextlib
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from benchmarks.public_steps import clones
from scan_jax.core.errors import UserError


def torchvision():
    try:
        return clones.torchvision()
    except ImportError as error:
        pytest.skip(f"needs what is not installed: {error}")


def public_clones(*repositories):
    """The folder $SCAN_JAX_PUBLIC, in which these public repositories' clones lie; skips without one of them."""
    folder = os.environ.get("SCAN_JAX_PUBLIC")
    if not folder:
        pytest.skip("runs beside public code: set SCAN_JAX_PUBLIC to the folder with its clones")
    for repository in repositories:
        if not (Path(folder) / repository).is_dir():
            pytest.skip(f"there is no {Path(folder) / repository}; clone {repository} into {folder}")
    return Path(folder)


def public_module(repository, name):
    """The module `name` of a public repository's clone; skips without the clone or what it needs."""
    folder = public_clones(repository)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return clones.load(folder, repository, name)
        except UserError as error:
            pytest.skip(str(error))


def lpips(net):
    """`lpips.LPIPS` with its own heads on a random network that keeps the signal alive, in float64."""
    torch = pytest.importorskip("torch")
    torchvision()
    package = pytest.importorskip("lpips")
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision, on how lpips calls it
        model = package.LPIPS(net=net, pnet_rand=True, eval_mode=True)
    for module in model.net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
            torch.nn.init.normal_(module.bias, std=0.1)
    return model.double().eval()


def torchvision_state(model):
    """The state dict that torchvision's own file would have for this network under LPIPS."""
    state = {}
    for part in model.net.children():
        for index, module in part.named_children():
            state |= {f"features.{index}.{name}": value.float() for name, value in module.state_dict().items()}
    return state


def head_state(model):
    """The head's state dict, as published."""
    return {f"lin{i}.model.1.weight": lin.model[1].weight.detach().float() for i, lin in enumerate(model.lins)}


def fid_inception():
    """pytorch-fid's InceptionV3 with random weights and statistics, and its state dict; nothing is downloaded."""
    torch = pytest.importorskip("torch")
    torchvision()
    module = pytest.importorskip("pytorch_fid.inception")
    torch.manual_seed(0)
    state, load = {}, torch.nn.Module.load_state_dict

    def load_random(network, published):
        state.update({name: _random(name, value) for name, value in network.state_dict().items()})
        return load(network, state)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision, on how pytorch-fid calls it
        patch.setattr(module, "load_state_dict_from_url", lambda *args, **options: {})
        patch.setattr(torch.nn.Module, "load_state_dict", load_random)
        return module.InceptionV3().eval(), state


def _random(name, value):
    """An array of the name's kind: running variances are positive, kernels keep the signal's size."""
    torch = pytest.importorskip("torch")
    if name.endswith("num_batches_tracked"):
        return value
    if name.endswith(("running_var", "bn.weight")):
        return torch.rand(value.shape) + 0.5
    if name.endswith(("bn.bias", "running_mean", "fc.bias")):
        return 0.2 * torch.randn(value.shape)
    return torch.randn(value.shape) * (2 / np.prod(value.shape[1:])) ** 0.5
