"""RFR's generator in PyTorch, in its literal form: attention image by image, its scores pooled over all keys."""

from functools import partial

import torch_layers as layers
from torch_layers import F, tensor, torch


def attend(x, known, ratio, memory):
    """Knowledge-consistent attention: [B,C,h,w], [B,1,h,w], the last scores and known -> [B,C,h,w], those of now."""
    found, scores = [], []
    present = torch.abs(ratio) + 1e-7
    for index, (sample, row) in enumerate(zip(x, known)):
        keys = sample.flatten(1).T + 1e-7  # [N,C]
        keys = keys / keys.square().sum(1, keepdim=True).sqrt()
        products = torch.einsum("kc,chw->khw", keys, sample)[None]  # [1,N,h,w]
        pooled = F.avg_pool2d(products, 3, 1, 1) * 9
        score = torch.softmax(pooled, 1)
        if memory is not None:
            past, past_known = memory[0][index], memory[1][index]
            score = (past * past_known + score * present) / (past_known + present)
        found.append(torch.einsum("bkhw,kc->bchw", score, keys))
        scores.append(score)
        assert row.shape[1:] == sample.shape[1:]
    return torch.cat(found), (scores, known)


def reason(params, norms, x, known, memory, train):
    """The encoder-decoder: [B,C,H,W], [B,1,H,W] -> [B,C,H,W], the attention's memory."""

    def block(name, x, convolve, activation):
        y = norms(convolve(x, params[name]["conv"]), params[name]["norm"], ("reason", name, "norm"), train)
        return activation(y)

    leaky, maps = partial(F.leaky_relu, negative_slope=0.2), {}
    down, wide = partial(layers.conv, padding=1, stride=2), partial(layers.conv, padding=2, dilation=2)
    for level in range(1, 7):
        x = maps[level] = block(f"enc{level}", x, down if level < 4 else wide, F.relu)
    for level in range(5, 0, -1):
        x = torch.cat([x, maps[level]], 1)
        x = block(f"dec{level}", x, wide if level > 3 else layers.doubling, leaky)
        if level == 3:
            small = F.interpolate(known, x.shape[2:])
            found, memory = attend(x, small, tensor(params["attention"]["ratio"]), memory)
            x = layers.conv(torch.cat([found, x], 1), params["attention"]["mix"], padding=0)
    return x, memory


def rfr(params, norms, image, known, train, recurrences):
    """Images [B,3,H,W] in [0, 1], known [B,1,H,W] -> [B,3,H,W]."""
    x, valid = image * known, known.expand(-1, 3, -1, -1)
    barely = partial(F.leaky_relu, negative_slope=0.01)
    for name, stride in (("down", 2), ("rim", 1)):
        x, valid = layers.partial_conv(x, valid, params[name]["conv1"], stride)
        x = F.relu(norms(x, params[name]["norm"], (name, "norm"), train))
    maps, knowns, memory = [x], [valid], None
    for _ in range(recurrences):
        for name in ("conv1", "conv2"):
            x, valid = layers.partial_conv(x, valid, params["shrink"][name])
        x = barely(norms(x, params["shrink"]["norm"], ("shrink", "norm"), train))
        x, memory = reason(params["reason"], norms, x, valid[:, :1], memory, train)
        x = x * valid
        maps.append(x)
        knowns.append(valid)
    maps, knowns = torch.stack(maps), torch.stack(knowns)
    x = (maps * knowns).mean(0) / (knowns.mean(0) + 1e-7)
    x = barely(norms(layers.doubling(x, params["up"]["conv"]), params["up"]["norm"], ("up", "norm"), train))
    valid = F.interpolate(valid, scale_factor=2)
    beside = torch.cat([image * known, x], 1), torch.cat([known.expand(-1, 3, -1, -1), valid], 1)
    x = barely(layers.partial_conv(*beside, params["tail"])[0])
    y = x
    for name, padding in (("narrow", 0), ("look", 1), ("widen", 0)):
        tree = params["bottleneck"][name]
        y = norms(layers.conv(y, tree["conv"], padding), tree["norm"], ("bottleneck", name, "norm"), train)
        y = y if name == "widen" else F.relu(y)
    return layers.conv(torch.cat([x, F.relu(x + y)], 1), params["rgb"], padding=1)
