"""Layers as plain PyTorch functions in their literal form, fed with this toolkit's parameters."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional


def tensor(value):
    """An array as it is."""
    return torch.tensor(np.array(value))


def to_torch(image):
    """[B,H,W,C] -> [B,C,H,W]."""
    return tensor(np.asarray(image).transpose(0, 3, 1, 2).copy())


def to_numpy(tensor):
    """[B,C,H,W] -> [B,H,W,C]."""
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


def weight(kernel):
    """[h,w,I,O] -> [O,I,h,w]."""
    return tensor(np.asarray(kernel).transpose(3, 2, 0, 1).copy())


def conv(x, params, padding, stride=1, dilation=1):
    """A convolution with or without a bias."""
    bias = tensor(params["bias"]) if "bias" in params else None
    return F.conv2d(x, weight(params["kernel"]), bias, stride, padding, dilation)


def doubling(x, params):
    """The transposed convolution of kernel 4."""
    kernel = tensor(np.asarray(params["kernel"]).transpose(2, 3, 0, 1).copy())
    return F.conv_transpose2d(x, kernel, None, 2, 1)


def partial_conv(x, known, params, stride=1):
    """Eq. (1)-(2) of Liu et al. with one channel of `known` for each of x; as many come back as the result has."""
    kernel = weight(params["kernel"])
    size, padding = kernel.shape[2], kernel.shape[2] // 2
    total = F.conv2d(known, torch.ones_like(kernel), None, stride, padding)  # the same for every output
    updated = (total > 0).float()
    share = total / (kernel.shape[1] * size * size)
    y = F.conv2d(x * known, kernel, None, stride, padding) / torch.where(total > 0, share, 1)
    if "bias" in params:
        y = y + tensor(params["bias"]).view(1, -1, 1, 1)
    return y * updated, updated


class Norms:
    """All batch normalisations of a network; their running statistics move as those of PyTorch's modules do."""

    def __init__(self, stats):
        self.running = {}
        self._collect(stats, ())

    def _collect(self, tree, path):
        if "mean" in tree:
            self.running[path[:-1]] = tensor(tree["mean"]), tensor(tree["variance"])
            return
        for name, branch in tree.items():
            self._collect(branch, (*path, name))

    def __call__(self, x, params, path, train):
        mean, variance = self.running[path]
        scale, bias = tensor(params["scale"]), tensor(params["bias"])
        return F.batch_norm(x, mean, variance, scale, bias, train, 0.1, 1e-5)
