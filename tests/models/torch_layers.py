"""Layers as plain PyTorch functions in their literal form, fed with this toolkit's parameters."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional


def tensor(value):
    """An array or tensor as it is."""
    return value if torch.is_tensor(value) else torch.tensor(np.array(value))


def to_torch(value):
    """Maps [B,H,W,C] to [B,C,H,W]; other arrays as they are."""
    return tensor(value).permute(0, 3, 1, 2) if np.ndim(value) == 4 else tensor(value)


def to_numpy(tensor):
    """[B,C,H,W] -> [B,H,W,C]."""
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


def weight(kernel):
    """[h,w,I,O] -> [O,I,h,w]."""
    return tensor(kernel).permute(3, 2, 0, 1)


def conv(x, params, padding, stride=1, dilation=1):
    bias = tensor(params["bias"]) if "bias" in params else None
    return F.conv2d(x, weight(params["kernel"]), bias, stride, padding, dilation)


def doubling(x, params):
    """The transposed convolution of kernel 4."""
    return F.conv_transpose2d(x, tensor(params["kernel"]).permute(2, 3, 0, 1), None, 2, 1)


def part(variables, name):
    return {collection: tree[name] for collection, tree in variables.items() if name in tree}


def module(variables, *, transposed=False, **options):
    """A convolution as a module, spectrally normalised where there are vectors for it."""
    params, vectors = variables["params"], variables.get("spectral", {}).get("vectors")
    height, width, inputs, outputs = params["kernel"].shape
    kind = torch.nn.ConvTranspose2d if transposed else torch.nn.Conv2d
    conv = kind(inputs, outputs, height, bias="bias" in params, **options)
    conv = torch.nn.utils.spectral_norm(conv) if vectors else conv
    with torch.no_grad():
        order = (2, 3, 0, 1) if transposed else (3, 2, 0, 1)
        (conv.weight_orig if vectors else conv.weight).copy_(tensor(params["kernel"]).permute(order))
        if "bias" in params:
            conv.bias.copy_(tensor(params["bias"]))
        if vectors:
            conv.weight_u.copy_(tensor(vectors["u"]))
            v = tensor(vectors["v"]).reshape(height, width, inputs)  # PyTorch flattens [in, kh, kw]
            conv.weight_v.copy_(v.permute(2, 0, 1).reshape(-1))
    return conv


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

    def equal(self, stats):
        """Asserts that the tree of statistics that a network of ours now has is the same."""
        for path, wanted in Norms(stats).running.items():
            for found, value in zip(self.running[path], wanted):
                np.testing.assert_allclose(found, value, rtol=1e-3, atol=1e-5)
