"""LaMa's generator as PyTorch modules, by the names of the published files."""

import pytest

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


def conv(inputs, outputs, size=3, stride=1, padding=1):
    return nn.Conv2d(inputs, outputs, size, stride, padding, bias=False, padding_mode="reflect")


class Fourier(nn.Module):
    """Channels alternate between real and imaginary parts."""

    def __init__(self, channels):
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)

    def forward(self, x):
        waves = torch.view_as_real(torch.fft.rfftn(x, dim=(2, 3), norm="ortho"))  # [B,C,h,w,2]
        y = F.relu(self.bn(self.conv_layer(waves.movedim(4, 2).flatten(1, 2))))
        y = torch.view_as_complex(y.unflatten(1, (-1, 2)).movedim(2, 4).contiguous())
        return torch.fft.irfftn(y, s=x.shape[2:], dim=(2, 3), norm="ortho")


class Spectral(nn.Module):
    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.conv1 = nn.Sequential(nn.Conv2d(channels, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        self.fu = Fourier(half)
        self.conv2 = nn.Conv2d(half, channels, 1, bias=False)

    def forward(self, x):
        x = self.conv1(x)
        return self.conv2(x + self.fu(x))


class Ffc(nn.Module):
    def __init__(self, local, whole, outputs, whole_outputs, **options):
        super().__init__()
        self.convl2l = conv(local, outputs, **options)
        self.convl2g = conv(local, whole_outputs, **options) if whole_outputs else None
        self.convg2l = conv(whole, outputs) if whole else None
        self.convg2g = Spectral(whole) if whole else None

    def forward(self, x):
        if self.convg2l is None:
            return self.convl2l(x[0]), self.convl2g and self.convl2g(x[0])
        return self.convl2l(x[0]) + self.convg2l(x[1]), self.convl2g(x[0]) + self.convg2g(x[1])


class Unit(nn.Module):
    def __init__(self, inputs, outputs, whole, whole_outputs, **options):
        super().__init__()
        self.ffc = Ffc(inputs - whole, whole, outputs - whole_outputs, whole_outputs, **options)
        self.bn_l = nn.BatchNorm2d(outputs - whole_outputs)
        self.bn_g = nn.BatchNorm2d(whole_outputs) if whole_outputs else None

    def forward(self, x):
        local, whole = self.ffc(x)
        return F.relu(self.bn_l(local)), self.bn_g and F.relu(self.bn_g(whole))


class Block(nn.Module):
    def __init__(self, channels, whole):
        super().__init__()
        self.conv1, self.conv2 = (Unit(channels, channels, whole, whole) for _ in range(2))

    def forward(self, x):
        return tuple(a + b for a, b in zip(x, self.conv2(self.conv1(x))))


class Beside(nn.Module):
    """Puts a map where pairs are, or makes one of both."""

    def forward(self, x):
        return torch.cat(x, 1) if isinstance(x, tuple) else (x, None)


class Lama(nn.Module):
    def __init__(self, width=64, blocks=18):
        super().__init__()
        pad = nn.ReflectionPad2d(3)
        layers = [nn.Sequential(pad, Beside()), Unit(4, width, 0, 0, size=7, padding=0)]
        for level in range(3):
            whole = 6 * width if level == 2 else 0
            layers.append(Unit(2**level * width, 2 ** (level + 1) * width, 0, whole, stride=2))
        layers += [*(Block(8 * width, 6 * width) for _ in range(blocks)), Beside()]
        for inputs in (8 * width, 4 * width, 2 * width):
            double = nn.ConvTranspose2d(inputs, inputs // 2, 3, 2, 1, 1)
            layers += [double, nn.BatchNorm2d(inputs // 2), nn.ReLU()]
        self.model = nn.Sequential(*layers, pad, nn.Conv2d(width, 3, 7), nn.Sigmoid())

    def forward(self, x):
        """Image and hole, [B,4,H,W] -> [B,3,H,W]."""
        return self.model(x)


class Filling(nn.Module):
    """What the published TorchScript file is made of, by its sections."""

    def __init__(self, generator):
        super().__init__()
        self.model = nn.Module()
        self.model.generator = generator

    def forward(self, image, hole):
        found = self.model.generator(torch.cat([image * (1 - hole), hole], 1))
        return hole * found + (1 - hole) * image
