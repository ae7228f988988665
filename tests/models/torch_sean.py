"""SEAN's parts as plain PyTorch modules in their literal form, and how this toolkit's parameters go into them."""

from functools import partial

import numpy as np
from torch_layers import F, conv, module, part, tensor, torch, weight

nn = torch.nn


def one_hot(labels, classes):
    """[B,H,W] -> [B,N,H,W]; a pixel of no class is zero in all."""
    return F.one_hot(labels.long() + 1, classes + 1)[..., 1:].permute(0, 3, 1, 2).float()


class Norm(nn.Module):
    """The region-adaptive normalisation with a map of as many channels as a style has."""

    def __init__(self, params, channels):
        super().__init__()
        self.params, self.norm = params, nn.BatchNorm2d(channels, affine=False)

    def forward(self, x, labels, styles, noise=None):
        label = self.params["label"]
        if noise is not None:
            x = x + noise * tensor(self.params["noise_scale"]).view(1, -1, 1, 1)
        x, regions = self.norm(x), one_hot(labels, label["hidden_kernel"].shape[2])
        shared = F.relu(conv(regions, {"kernel": label["hidden_kernel"], "bias": label["hidden_bias"]}, 1))
        gamma, beta = conv(shared, label, 1).chunk(2, 1)
        if "style" in self.params:
            dense = {name: tensor(value) for name, value in self.params["style"]["dense"].items()}
            spread = torch.zeros(x.shape[0], styles.shape[-1], *x.shape[2:])
            for sample, label in np.ndindex(regions.shape[:2]):
                hidden = F.relu(styles[sample, label] @ dense["kernel"][label] + dense["bias"][label])
                spread[sample] += hidden[:, None, None] * regions[sample, label]
            styled = conv(spread, self.params["style"], 1).chunk(2, 1)
            share = torch.sigmoid(tensor(self.params["blend"]))
            gamma = share[0] * styled[0] + (1 - share[0]) * gamma
            beta = share[1] * styled[1] + (1 - share[1]) * beta
        return x * (1 + gamma) + beta


class Block(nn.Module):
    def __init__(self, variables, channels):
        super().__init__()
        params = variables["params"]
        middle = params["conv0"]["kernel"].shape[-1]
        self.norm0, self.norm1 = Norm(params["norm0"], channels), Norm(params["norm1"], middle)
        self.conv0, self.conv1 = (module(part(variables, name), padding=1) for name in ("conv0", "conv1"))
        self.short = "shortcut" in params
        if self.short:
            self.norm2, self.shortcut = Norm(params["norm2"], channels), module(part(variables, "shortcut"))

    def forward(self, x, labels, styles, noise=lambda place, size: None):
        noises = [noise(place, x.shape[2:]) for place in range(3)]
        y = self.conv0(F.leaky_relu(self.norm0(x, labels, styles, noises[0]), 0.2))
        y = self.conv1(F.leaky_relu(self.norm1(y, labels, styles, noises[1]), 0.2))
        return y + (self.shortcut(self.norm2(x, labels, styles, noises[2])) if self.short else x)


def encode(params, image, known, labels, classes):
    """The style encoder with contextual attention, whose N x N map is built: the styles [B,N,S]."""

    def reflected(x, name):
        return conv(F.pad(x, (1,) * 4, mode="reflect"), params[name], 0)

    def activated(x):
        return F.leaky_relu(F.instance_norm(x), 0.2)

    x = activated(reflected(torch.cat([(2 * image - 1) * known, known], 1), "in"))
    for name in ("down1", "down2"):
        x = activated(conv(x, params[name], 1, stride=2))
    kernel, bias = tensor(params["up"]["kernel"]).permute(2, 3, 0, 1), tensor(params["up"]["bias"])
    x = activated(F.conv_transpose2d(x, kernel, bias, 2, 1, 1))
    small = F.interpolate(known, x.shape[2:], mode="nearest").flatten(2)
    if "attention" in params:
        layers = params["attention"]
        query, key, value = (conv(x, layers[name], 0).flatten(2) for name in ("query", "key", "value"))
        weights = torch.softmax(query.transpose(1, 2) @ key, -1) * small
        weights = weights / weights.sum(-1, keepdim=True) * (1 - small).transpose(1, 2)
        x = x + float(layers["gamma"]) * (value @ weights.transpose(1, 2)).reshape(x.shape)
    codes = torch.tanh(reflected(x, "out"))
    regions = F.interpolate(one_hot(labels, classes), x.shape[2:], mode="nearest")
    styles = torch.zeros(x.shape[0], classes, codes.shape[1])
    for sample, label in np.ndindex(regions.shape[:2]):
        chosen = regions[sample, label].bool()
        if chosen.any():
            styles[sample, label] = codes[sample][:, chosen].mean(1)
    return styles


class Decoder(nn.Module):
    """The generator from styles and labels on; `noise(block, norm, size)` is [B,1,h,w] at each norm."""

    def __init__(self, variables, names):
        super().__init__()
        params = variables["params"]
        _, _, self.classes, channels = params["start_kernel"].shape
        self.params, self.blocks = params, nn.ModuleList()
        for name in names:
            self.blocks.append(Block(part(variables, name), channels))
            channels = params[name]["conv1"]["kernel"].shape[-1]

    def forward(self, styles, labels, noise):
        def resized(height, width):
            return F.interpolate(labels[:, None].float(), (height, width), mode="nearest")[:, 0]

        small = one_hot(resized(labels.shape[1] // 32, labels.shape[2] // 32), self.classes)
        x = F.conv2d(small, weight(self.params["start_kernel"]), tensor(self.params["start_bias"]), padding=1)
        for place, block in enumerate(self.blocks):
            if place not in (0, 2):  # between head and the first middle block, and before every block after the second
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(x, resized(*x.shape[2:]), styles, partial(noise, place))
        return (torch.tanh(conv(F.leaky_relu(x, 0.2), self.params["rgb"], 1)) + 1) / 2
