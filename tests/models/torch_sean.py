"""SEAN's parts as plain PyTorch modules in their literal form, and how this toolkit's parameters go into them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


def to_torch(value):
    """Maps [B,H,W,C] to [B,C,H,W]; anything else as it is."""
    if value is None:
        return None
    value = np.array(value)
    return torch.tensor(value.transpose(0, 3, 1, 2).copy() if value.ndim == 4 else value)


def to_numpy(tensor):
    """[B,C,H,W] -> [B,H,W,C]."""
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


def fill(conv, kernel, bias=None):
    """[kh,kw,in,out] into a convolution, spectrally normalised or not."""
    weight = conv.weight_orig if hasattr(conv, "weight_orig") else conv.weight
    with torch.no_grad():
        weight.copy_(torch.tensor(np.array(kernel).transpose(3, 2, 0, 1).copy()))
        if bias is not None:
            conv.bias.copy_(torch.tensor(np.array(bias)))


def one_hot(labels, classes):
    """[B,H,W] -> [B,N,H,W]."""
    return F.one_hot(labels.long(), classes).permute(0, 3, 1, 2).float()


class Norm(nn.Module):
    """The region-adaptive normalisation with a map of as many channels as a style has."""

    def __init__(self, params, channels):
        super().__init__()
        self.classes, hidden = params["label"]["hidden_kernel"].shape[2:]
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.noise_scale = torch.tensor(np.array(params["noise_scale"]))
        self.shared = nn.Conv2d(self.classes, hidden, 3, padding=1)
        fill(self.shared, params["label"]["hidden_kernel"], params["label"]["hidden_bias"])
        self.by_label = self._pair(params["label"], channels)
        self.styled = "style" in params
        if self.styled:
            self.by_style = self._pair(params["style"], channels)
            dense = params["style"]["dense"]
            self.dense_kernel, self.dense_bias = (torch.tensor(np.array(dense[key])) for key in ("kernel", "bias"))
            self.share = torch.sigmoid(torch.tensor(np.array(params["blend"])))

    def _pair(self, params, channels):
        convs = nn.ModuleList()
        for half in (slice(None, channels), slice(channels, None)):
            convs.append(nn.Conv2d(params["kernel"].shape[2], channels, 3, padding=1))
            fill(convs[-1], params["kernel"][..., half], params["bias"][half])
        return convs

    def forward(self, x, labels, styles, noise=None):
        if noise is not None:
            x = x + noise * self.noise_scale[None, :, None, None]
        x, regions = self.norm(x), one_hot(labels, self.classes)
        shared = F.relu(self.shared(regions))
        gamma, beta = (conv(shared) for conv in self.by_label)
        if self.styled:
            spread = torch.zeros(x.shape[0], styles.shape[-1], *x.shape[2:])
            for sample in range(x.shape[0]):
                for label in range(self.classes):
                    hidden = F.relu(styles[sample, label] @ self.dense_kernel[label] + self.dense_bias[label])
                    spread[sample] += hidden[:, None, None] * regions[sample, label]
            styled = [conv(spread) for conv in self.by_style]
            gamma = self.share[0] * styled[0] + (1 - self.share[0]) * gamma
            beta = self.share[1] * styled[1] + (1 - self.share[1]) * beta
        return x * (1 + gamma) + beta


def spectral(variables, padding):
    """A spectrally normalised convolution with the same kernel and vectors."""
    params, vectors = variables["params"], variables["spectral"]["vectors"]
    height, width, inputs, outputs = params["kernel"].shape
    conv = nn.utils.spectral_norm(nn.Conv2d(inputs, outputs, height, padding=padding, bias="bias" in params))
    fill(conv, params["kernel"], params.get("bias"))
    with torch.no_grad():
        conv.weight_u.copy_(torch.tensor(np.array(vectors["u"])))
        v = np.array(vectors["v"]).reshape(height, width, inputs)  # PyTorch flattens [in, kh, kw]
        conv.weight_v.copy_(torch.tensor(v.transpose(2, 0, 1).reshape(-1).copy()))
    return conv


def part(variables, name):
    """The variables of a submodule."""
    return {collection: tree[name] for collection, tree in variables.items() if name in tree}


class Block(nn.Module):
    """The residual block."""

    def __init__(self, variables, channels):
        super().__init__()
        params = variables["params"]
        middle = params["conv0"]["kernel"].shape[-1]
        self.norm0, self.norm1 = Norm(params["norm0"], channels), Norm(params["norm1"], middle)
        self.conv0, self.conv1 = (spectral(part(variables, name), 1) for name in ("conv0", "conv1"))
        self.short = "shortcut" in params
        if self.short:
            self.norm2, self.shortcut = Norm(params["norm2"], channels), spectral(part(variables, "shortcut"), 0)

    def forward(self, x, labels, styles):
        y = self.conv0(F.leaky_relu(self.norm0(x, labels, styles), 0.2))
        y = self.conv1(F.leaky_relu(self.norm1(y, labels, styles), 0.2))
        return y + (self.shortcut(self.norm2(x, labels, styles)) if self.short else x)


class Encoder(nn.Module):
    """The style encoder with contextual attention, whose N x N map is built."""

    def __init__(self, params):
        super().__init__()
        self.convs = nn.ModuleDict()
        for name, stride in (("in", 1), ("down1", 2), ("down2", 2), ("out", 1)):
            _, _, inputs, outputs = params[name]["kernel"].shape
            reflect = {"padding_mode": "reflect"} if stride == 1 else {}
            self.convs[name] = nn.Conv2d(inputs, outputs, 3, stride, 1, **reflect)
            fill(self.convs[name], params[name]["kernel"], params[name]["bias"])
        _, _, inputs, outputs = params["up"]["kernel"].shape
        self.up = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1)
        with torch.no_grad():
            self.up.weight.copy_(torch.tensor(np.array(params["up"]["kernel"]).transpose(2, 3, 0, 1).copy()))
            self.up.bias.copy_(torch.tensor(np.array(params["up"]["bias"])))
        self.attention = nn.ModuleDict()
        for name in ("query", "key", "value") if "attention" in params else ():
            layer = params["attention"][name]
            self.attention[name] = nn.Conv2d(*layer["kernel"].shape[2:], 1)
            fill(self.attention[name], layer["kernel"], layer["bias"])
        self.gamma = float(params["attention"]["gamma"]) if "attention" in params else 0.0

    def forward(self, image, known, labels, classes):
        x = torch.cat([(2 * image - 1) * known, known], 1)
        for layer in (self.convs["in"], self.convs["down1"], self.convs["down2"], self.up):
            x = F.leaky_relu(F.instance_norm(layer(x)), 0.2)
        size = x.shape[2:]
        if len(self.attention):
            x = x + self.gamma * self._attend(x, F.interpolate(known, size, mode="nearest"))
        codes = torch.tanh(self.convs["out"](x))
        regions = F.interpolate(one_hot(labels, classes), size, mode="nearest")
        styles = torch.zeros(x.shape[0], classes, codes.shape[1])
        for sample in range(x.shape[0]):
            for label in range(classes):
                chosen = regions[sample, label].bool()
                if chosen.any():
                    styles[sample, label] = codes[sample][:, chosen].mean(1)
        return styles

    def _attend(self, x, known):
        query, key, value = (self.attention[name](x).flatten(2) for name in ("query", "key", "value"))
        weights = torch.softmax(query.transpose(1, 2) @ key, -1) * known.flatten(2)
        weights = weights / weights.sum(-1, keepdim=True) * (1 - known.flatten(2)).transpose(1, 2)
        return (value @ weights.transpose(1, 2)).reshape(x.shape)


class Decoder(nn.Module):
    """The generator from styles and labels on."""

    def __init__(self, variables, names):
        super().__init__()
        params = variables["params"]
        _, _, self.classes, channels = params["start_kernel"].shape
        self.start = nn.Conv2d(self.classes, channels, 3, padding=1)
        fill(self.start, params["start_kernel"], params["start_bias"])
        self.blocks = nn.ModuleList()
        for name in names:
            self.blocks.append(Block(part(variables, name), channels))
            channels = params[name]["conv1"]["kernel"].shape[-1]
        self.rgb = nn.Conv2d(channels, 3, 3, padding=1)
        fill(self.rgb, params["rgb"]["kernel"], params["rgb"]["bias"])

    def forward(self, styles, labels):
        def resized(x):
            regions = F.interpolate(one_hot(labels, self.classes), x.shape[2:], mode="nearest")
            return regions.argmax(1)

        small = F.interpolate(one_hot(labels, self.classes), scale_factor=1 / 32, mode="nearest")
        x = self.start(small)
        for place, block in enumerate(self.blocks):
            if place not in (0, 2):  # between head and the first middle block, and before every block after the second
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(x, resized(x), styles)
        return (torch.tanh(self.rgb(F.leaky_relu(x, 0.2))) + 1) / 2
