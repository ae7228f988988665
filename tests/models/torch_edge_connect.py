"""EdgeConnect's and region normalisation's networks as plain PyTorch, in their literal form, with our parameters."""

import numpy as np
from torch_sean import F, nn, part, torch


def convolution(variables, name, *, transposed=False, **options):
    """A layer, spectrally normalised where there are vectors for it."""
    params, vectors = variables["params"][name], variables.get("spectral", {}).get(name)
    kernel = np.array(params["kernel"])
    height, width, inputs, outputs = kernel.shape
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    conv = kind(inputs, outputs, height, bias="bias" in params, **options)
    if vectors:
        conv = nn.utils.spectral_norm(conv)
    with torch.no_grad():
        weight = kernel.transpose((2, 3, 0, 1) if transposed else (3, 2, 0, 1)).copy()
        (conv.weight_orig if vectors else conv.weight).copy_(torch.tensor(weight))
        if "bias" in params:
            conv.bias.copy_(torch.tensor(np.array(params["bias"])))
        if vectors:
            v = np.array(vectors["vectors"]["v"]).reshape(height, width, inputs)  # PyTorch flattens [in, kh, kw]
            conv.weight_u.copy_(torch.tensor(np.array(vectors["vectors"]["u"])))
            conv.weight_v.copy_(torch.tensor(v.transpose(2, 0, 1).reshape(-1).copy()))
    return conv


def reflect(x, pad):
    return F.pad(x, (pad,) * 4, mode="reflect")


class Transform(nn.Module):
    """To a quarter, residual blocks, and back."""

    def __init__(self, variables):
        super().__init__()
        names = variables["params"]
        layers = {"in": {}, "down1": {"stride": 2, "padding": 1}, "down2": {"stride": 2, "padding": 1}, "out": {}}
        layers |= {name: {"stride": 2, "padding": 1, "transposed": True} for name in ("up1", "up0")}
        self.layers = nn.ModuleDict({name: convolution(variables, name, **given) for name, given in layers.items()})
        self.blocks = nn.ModuleList()
        for index in range(sum(name.startswith("block") for name in names)):
            block = part(variables, f"block{index}")
            pair = convolution(block, "dilated", dilation=2), convolution(block, "plain")
            self.blocks.append(nn.ModuleList(pair))

    def forward(self, x):
        x = F.relu(F.instance_norm(self.layers["in"](reflect(x, 3))))
        for name in ("down1", "down2"):
            x = F.relu(F.instance_norm(self.layers[name](x)))
        for dilated, plain in self.blocks:
            y = F.relu(F.instance_norm(dilated(reflect(x, 2))))
            x = x + F.instance_norm(plain(reflect(y, 1)))
        for name in ("up1", "up0"):
            x = F.relu(F.instance_norm(self.layers[name](x)))
        return self.layers["out"](reflect(x, 3))


class Critic(nn.Module):
    """Five convolutions of kernel 4; it answers with all activations."""

    def __init__(self, variables):
        super().__init__()
        strides = (2, 2, 2, 1, 1)
        self.convs = nn.ModuleList(
            convolution(variables, f"SpectralConv_{index}", stride=stride, padding=1)
            for index, stride in enumerate(strides)
        )

    def forward(self, x):
        found = []
        for conv in self.convs[:-1]:
            x = F.leaky_relu(conv(x), 0.2)
            found.append(x)
        return [*found, self.convs[-1](x)]


def normalize_regions(x, region):
    """Each region filled up by its mean, batch normalised, and scaled by the root of its share."""
    total = 0
    for inside in (region, 1 - region):
        pixels = inside.sum()
        pixels = torch.where(pixels == 0, torch.ones_like(pixels), pixels)
        mean = (x * inside).sum((0, 2, 3), keepdim=True) / pixels
        filled = F.batch_norm(x * inside + (1 - inside) * mean, None, None, training=True)
        total = total + filled * torch.sqrt(pixels / inside.numel())
    return total


def hole_norm(params, x, hole):
    """RN-B."""
    scale, shift = ({name: _row(params[f"{name}_{kind}"]) for name in ("hole", "known")} for kind in ("scale", "shift"))
    y = normalize_regions(x, hole)
    return y * hole * (1 + scale["hole"]) + shift["hole"] + y * (1 - hole) * (1 + scale["known"]) + shift["known"]


def learned_norm(params, x, threshold=0.8):
    """RN-L."""
    summary = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
    importance = torch.sigmoid(convolution({"params": params}, "importance", padding=3)(summary))
    scale, shift = convolution({"params": params}, "affine", padding=3)(importance).chunk(2, 1)
    y = normalize_regions(x, (importance.detach() >= threshold).float())
    return y * (1 + scale) + shift


def _row(vector):
    return torch.tensor(np.array(vector))[None, :, None, None]


def fill_by_regions(variables, image, known):
    """Region normalisation's generator: [B,3,H,W], [B,1,H,W] -> [B,3,H,W]."""
    params, hole = variables["params"], 1 - known

    def conv(name, x, **options):
        return convolution(variables, name, **options)(x)

    x = F.relu(hole_norm(params["in_norm"], conv("in", reflect(image * known + hole, 3)), hole))
    for name in ("down1", "down2"):
        x = conv(name, x, stride=2, padding=1)
        x = F.relu(hole_norm(params[f"{name}_norm"], x, F.interpolate(hole, x.shape[2:], mode="nearest")))
    for index in range(sum(name.startswith("block") for name in params)):
        block = part(variables, f"block{index}")
        y = convolution(block, "dilated", dilation=2)(reflect(x, 2))
        y = convolution(block, "plain")(reflect(F.relu(learned_norm(block["params"]["dilated_norm"], y)), 1))
        x = x + learned_norm(block["params"]["plain_norm"], y)
    for name in ("up1", "up0"):
        x = F.relu(learned_norm(params[f"{name}_norm"], F.pixel_shuffle(conv(name, x, padding=1), 2)))
    return (torch.tanh(conv("out", reflect(x, 3))) + 1) / 2
