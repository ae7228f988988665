"""Gated convolution's networks in their literal form in PyTorch, with TensorFlow's paddings written out."""

import numpy as np
import torch_layers as layers
from torch_layers import F, torch

STRIDES, DILATIONS = {2: 2, 4: 2}, {7: 2, 8: 4, 9: 8, 10: 16}  # by a convolution's number, where they are not 1


def same(x, size, stride=1, dilation=1):
    """Pads an image so that a convolution without padding gives ceil(side / stride): the odd zero comes last."""
    pads = []
    for side in (x.shape[3], x.shape[2]):  # PyTorch begins with the last axis
        total = max((-(-side // stride) - 1) * stride + dilation * (size - 1) + 1 - side, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def conv(x, params, stride=1, dilation=1, activation=F.elu):
    """A convolution, gated unless it has no activation."""
    y = layers.conv(same(x, params["kernel"].shape[0], stride, dilation), params, 0, stride, dilation)
    if activation is None:
        return y
    features, gates = y.chunk(2, 1)
    return activation(features) * torch.sigmoid(gates)


def encode(x, params, count, last=F.elu):
    for n in range(1, count + 1):
        x = conv(x, params[f"conv{n}"], STRIDES.get(n, 1), DILATIONS.get(n, 1), last if n == count else F.elu)
    return x


def decode(x, params):
    """From a quarter of the size to an image in [-1, 1]."""
    for n in range(11, 18):
        x = F.interpolate(x, scale_factor=2, mode="nearest") if n in (13, 15) else x
        x = conv(x, params[f"conv{n}"], activation=None if n == 17 else F.elu)
    return torch.tanh(x)


def rows_of(size, count):
    """Which rows a nearest-neighbour resize with aligned corners takes."""
    scale = (size - 1) / (count - 1) if count > 1 else 1.0
    return torch.tensor([int(np.floor(row * scale + 0.5)) for row in range(count)])


def resize(x, height, width):
    """To the nearest pixels, corners aligned."""
    return x[:, :, rows_of(x.shape[2], height)][:, :, :, rows_of(x.shape[3], width)]


def contextual_attention(x, hole):
    """Image by image: patches as kernels of a convolution and of a transposed convolution."""
    _, channels, height, width = x.shape
    h, w = height // 2, width // 2
    small, small_hole = resize(x, h, w), resize(hole, h, w)
    result = []
    for image, of_half, its_hole in zip(x, small, small_hole):
        keys = F.unfold(of_half[None], 3, padding=1)[0].T  # [N,C*9]
        keys = keys / keys.norm(dim=1, keepdim=True).clamp_min(1e-4)
        scores = F.conv2d(of_half[None], keys.reshape(-1, channels, 3, 3), padding=1)[0]  # [N,h,w]
        scores = scores.reshape(h * w, h * w).T  # from, to
        eye = torch.eye(3)[None, None]
        scores = F.conv2d(scores[None, None], eye, padding=1)[0, 0]
        turned = scores.reshape(h, w, h, w).permute(1, 0, 3, 2).reshape(h * w, h * w)
        turned = F.conv2d(turned[None, None], eye, padding=1)[0, 0]
        scores = turned.reshape(w, h, w, h).permute(1, 0, 3, 2).reshape(h * w, h * w)
        valid = (F.unfold(its_hole[None], 3, padding=1)[0].mean(0) == 0).float()  # [N]
        weights = torch.softmax(scores * valid * 10.0, 1) * valid  # [N,N]
        values = F.unfold(image[None], 4, padding=1, stride=2)[0].T.reshape(-1, channels, 4, 4)
        maps = weights.T.reshape(1, h * w, h, w)
        result.append(F.conv_transpose2d(maps, values, stride=2, padding=1) / 4)
    return torch.cat(result)


def fill(params, image, known):
    """Both stages [B,3,H,W] in [0, 1]."""
    hole, seen = 1 - known, (2 * image - 1) * known
    coarse = encode(torch.cat([seen, torch.ones_like(hole), hole], 1), params["coarse_encoder"], 10)
    coarse = decode(coarse, params["coarse_decoder"])
    filled = coarse * hole + seen * known
    branch = params["attentive_branch"]
    attended = encode(filled, branch["encoder"], 6, last=F.relu)
    attended = contextual_attention(attended, resize(hole, *attended.shape[2:]))
    attended = conv(conv(attended, branch["conv9"]), branch["conv10"])
    fine = decode(torch.cat([encode(filled, params["fine_encoder"], 10), attended], 1), params["fine_decoder"])
    return [(stage + 1) / 2 for stage in (coarse, fine)]


def judge(variables, image, known):
    """Six convolutions whose kernels are divided by sigma = v W u for the stored vectors."""
    x = torch.cat([2 * image - 1, 1 - known], 1)
    for number in range(1, 7):
        conv = layers.module(layers.part(variables, f"conv{number}"), stride=2).eval()
        x = F.leaky_relu(conv(same(x, 5, 2)), 0.2)
    return x
