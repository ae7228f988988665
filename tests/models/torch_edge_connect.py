"""EdgeConnect's and region normalisation's networks as plain PyTorch, in their literal form, with our parameters."""

from torch_layers import F, conv, module, part, tensor, torch

nn = torch.nn


def reflect(x, pad):
    return F.pad(x, (pad,) * 4, mode="reflect")


class Transform(nn.Module):
    """To a quarter, residual blocks, and back."""

    def __init__(self, variables):
        super().__init__()
        down, up = {"stride": 2, "padding": 1}, {"stride": 2, "padding": 1, "transposed": True}
        layers = {"in": {}, "down1": down, "down2": down, "up1": up, "up0": up, "out": {}}
        self.layers = nn.ModuleDict({name: module(part(variables, name), **given) for name, given in layers.items()})
        blocks = [part(variables, name) for name in sorted(variables["params"]) if name.startswith("block")]
        pairs = [(module(part(x, "dilated"), dilation=2), module(part(x, "plain"))) for x in blocks]
        self.blocks = nn.ModuleList(map(nn.ModuleList, pairs))

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


def fill_by_edges(edge, completion, image, edges, known):
    """EdgeConnect's two transforms on [B,3,H,W], [B,1,H,W] and [B,1,H,W]: the image and the edges."""
    hole, gray = 1 - known, (image * torch.tensor([0.2125, 0.7154, 0.0721]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    drawn = torch.sigmoid(edge(torch.cat([gray * known + hole, edges * known, hole], 1)))
    edges = torch.where(known > 0, edges, drawn)
    return (torch.tanh(completion(torch.cat([image * known + hole, edges], 1))) + 1) / 2, edges


class Critic(nn.Module):
    """Five convolutions of kernel 4; it answers with all activations."""

    def __init__(self, variables):
        super().__init__()
        layers = [part(variables, f"SpectralConv_{index}") for index in range(5)]
        self.convs = nn.ModuleList(module(x, stride=s, padding=1) for x, s in zip(layers, (2, 2, 2, 1, 1)))

    def forward(self, x):
        found = []
        for layer in self.convs[:-1]:
            x = F.leaky_relu(layer(x), 0.2)
            found.append(x)
        return (*found, self.convs[-1](x))


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
    importance = torch.sigmoid(conv(summary, params["importance"], 3))
    scale, shift = conv(importance, params["affine"], 3).chunk(2, 1)
    y = normalize_regions(x, (importance.detach() >= threshold).float())
    return y * (1 + scale) + shift


def _row(vector):
    return tensor(vector)[None, :, None, None]


def fill_by_regions(params, image, known):
    """Region normalisation's generator: [B,3,H,W], [B,1,H,W] -> [B,3,H,W]."""
    hole = 1 - known
    x = F.relu(hole_norm(params["in_norm"], conv(reflect(image * known + hole, 3), params["in"], 0), hole))
    for name in ("down1", "down2"):
        x = conv(x, params[name], 1, stride=2)
        x = F.relu(hole_norm(params[f"{name}_norm"], x, F.interpolate(hole, x.shape[2:], mode="nearest")))
    for block in (params[name] for name in sorted(params) if name.startswith("block")):
        y = conv(reflect(x, 2), block["dilated"], 0, dilation=2)
        y = conv(reflect(F.relu(learned_norm(block["dilated_norm"], y)), 1), block["plain"], 0)
        x = x + learned_norm(block["plain_norm"], y)
    for name in ("up1", "up0"):
        x = F.relu(learned_norm(params[f"{name}_norm"], F.pixel_shuffle(conv(x, params[name], 1), 2)))
    return (torch.tanh(conv(reflect(x, 3), params["out"], 0)) + 1) / 2
