"""MI-GAN's generator as PyTorch functions, literally, of arrays by the names of the published files."""

import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional
FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


def draw(sides, widths, *, unit=True, seed=0):
    """Random arrays of a network whose levels, the largest first, have these sides and widths."""
    torch.manual_seed(seed)
    state = {}

    def layer(name, *shape, bias=True):
        kernel = torch.randn(shape)
        lengths = kernel.square().sum((1, 2, 3), keepdim=True).sqrt()
        state[f"{name}.weight"] = kernel / lengths if unit else kernel / (0.8 * lengths)
        if bias:
            state[f"{name}.bias"] = torch.rand(shape[0]) - 0.5

    def smoothing(name, channels, gain):
        state[f"{name}.filter.weight"] = gain * FILTER.expand(channels, 1, 4, 4).clone()

    def separable(name, inputs, outputs, noise=0):
        layer(f"{name}.conv1", inputs, 1, 3, 3)
        layer(f"{name}.conv2", outputs, inputs, 1, 1, bias=False)
        if noise:
            state[f"{name}.noise_const"] = torch.randn(noise, noise)
            state[f"{name}.noise_strength"] = torch.rand(()) / 2

    layer(f"encoder.b{sides[0]}.fromrgb", widths[0], 4, 1, 1)
    for level, (side, width) in enumerate(zip(sides, widths)):
        last = level == len(sides) - 1
        below, noise = width if last else widths[level + 1], 0 if last else side
        separable(f"encoder.b{side}.conv1", width, width)
        separable(f"encoder.b{side}.conv2", width, below)
        separable(f"synthesis.b{side}.conv1", below, width, noise)
        separable(f"synthesis.b{side}.conv2", width, width, noise)
        layer(f"synthesis.b{side}.torgb", 3, width, 1, 1)
        if not last:
            smoothing(f"encoder.b{side}.conv2.downsample", width, 1)
            smoothing(f"synthesis.b{side}.conv1.upsample", width, 4)
            smoothing(f"synthesis.b{side}.upsample", 3, 4)
    return state


def activate(x, gain=1.0):
    return (F.leaky_relu(x, 0.2) * 2**0.5 * gain).clamp(-256 * gain, 256 * gain)


def smaller(x):
    return F.conv2d(x, FILTER.to(x).expand(x.shape[1], 1, 4, 4), None, 2, 1, groups=x.shape[1])


def larger(x):
    return F.conv_transpose2d(x, 4 * FILTER.to(x).expand(x.shape[1], 1, 4, 4), None, 2, 1, groups=x.shape[1])


def fill(state, x):
    """Known - 0.5 and the masked image in [-1, 1], [B,4,H,W] -> [B,3,H,W]; the noise is repeated on larger maps."""
    sides = sorted({int(name.split(".")[1][1:]) for name in state if name.startswith("encoder")})

    def conv(name, x, **options):
        return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **options)

    def separable(name, x, before=lambda x: x, after=lambda x: x):
        x = before(activate(conv(f"{name}.conv1", x, padding=1, groups=x.shape[1])))
        x = after(conv(f"{name}.conv2", x))
        if f"{name}.noise_const" in state:
            tile = state[f"{name}.noise_const"]
            times = [-(-have // want) for have, want in zip(x.shape[2:], tile.shape)]
            x = x + state[f"{name}.noise_strength"] * tile.repeat(*times)[: x.shape[2], : x.shape[3]]
        return activate(x)

    x, skips, picture = activate(conv(f"encoder.b{sides[-1]}.fromrgb", x)), {}, None
    for side in reversed(sides):
        x = skips[side] = separable(f"encoder.b{side}.conv1", x)
        x = separable(f"encoder.b{side}.conv2", x, **({"before": smaller} if side > sides[0] else {}))
    for side in sides:
        x = separable(f"synthesis.b{side}.conv1", x, **({"after": larger} if side > sides[0] else {})) + skips[side]
        x = separable(f"synthesis.b{side}.conv2", x)
        change = conv(f"synthesis.b{side}.torgb", x)
        picture = change if picture is None else larger(picture) + change
    return picture


def criticize(params, seen):
    """The critic's logits; tensors by our names, and [B,4,H,W]."""

    def pixels(x, layer):
        kernel = layer["kernel"] / layer["kernel"].norm(dim=0)
        x = torch.einsum("bihw,io->bohw", x, kernel)
        return x + layer["bias"][:, None, None] if "bias" in layer else x

    def separable(x, layer, between=lambda x: x, gain=1.0):
        kernel = layer["kernel"] / layer["kernel"].flatten(0, 1).norm(dim=0)
        x = F.conv2d(x, kernel.permute(2, 0, 1)[:, None], layer["bias"], padding=1, groups=x.shape[1])
        return activate(pixels(between(activate(x, gain)), layer["pointwise"]), gain)

    x = activate(pixels(seen, params["from_image"]))
    for level in range(sum(name.startswith("skip") for name in params)):
        beside = pixels(smaller(x), params[f"skip{level}"]) / 2**0.5
        x = separable(x, params[f"first{level}"])
        x = beside + separable(x, params[f"second{level}"], smaller, 0.5**0.5)
    count = len(x) // max(size for size in (1, 2, 3, 4) if len(x) % size == 0)  # of groups
    stds = [(x[first::count].var(0, correction=0) + 1e-8).sqrt().mean() for first in range(count)]
    levels = torch.stack([stds[row % count].expand(1, *x.shape[2:]) for row in range(len(x))])
    x = separable(torch.cat([x, levels], 1), params["last"])
    for name in ("dense", "logits"):
        kernel = params[f"{name}_kernel"].permute(3, 2, 0, 1)
        x = F.conv2d(x, kernel / kernel[0].numel() ** 0.5, params[f"{name}_bias"])
        x = activate(x) if name == "dense" else x
    return x


class Network(torch.nn.Module):
    """The same as modules inside of each other, as a program is traced from."""

    def __init__(self, state):
        super().__init__()
        self.names = list(state)
        for name, value in state.items():
            *path, last = name.split(".")
            node = self
            for part in path:
                if not hasattr(node, part):
                    node.add_module(part, torch.nn.Module())
                node = getattr(node, part)
            node.register_parameter(last, torch.nn.Parameter(value))

    def forward(self, x):
        return fill({name: self.get_parameter(name) for name in self.names}, x)
