"""Gated convolution's networks in their literal form in PyTorch, with TensorFlow's paddings written out."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

# Channels of the convolutions in units of the width; then strides and dilations where they are not 1.
COARSE, FINE, ATTENTIVE = (1, 2, 2, 4, 4, 4, 4, 4, 4, 4), (1, 1, 2, 2, 4, 4, 4, 4, 4, 4), (1, 1, 2, 4, 4, 4)
STRIDES, DILATIONS = {2: 2, 4: 2}, {7: 2, 8: 4, 9: 8, 10: 16}
DECODER = {11: 4, 12: 4, 13: 2, 14: 2, 15: 1, 16: 0.5}
CRITIC = (1, 2, 4, 4, 4, 4)


def to_torch(value):
    """[B,H,W,C] -> [B,C,H,W]."""
    return torch.tensor(np.array(value).transpose(0, 3, 1, 2).copy())


def to_numpy(tensor):
    """[B,C,H,W] -> [B,H,W,C]."""
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


def same(x, size, stride=1, dilation=1):
    """Pads an image so that a convolution without padding gives ceil(side / stride): the odd zero comes last."""
    pads = []
    for side in (x.shape[3], x.shape[2]):  # PyTorch begins with the last axis
        total = max((-(-side // stride) - 1) * stride + dilation * (size - 1) + 1 - side, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


class Conv(nn.Module):
    """A convolution, gated unless it has no activation."""

    def __init__(self, params, stride=1, dilation=1, activation=F.elu):
        super().__init__()
        self.size, _, inputs, outputs = params["kernel"].shape
        self.stride, self.dilation, self.activation = stride, dilation, activation
        self.conv = nn.Conv2d(inputs, outputs, self.size, stride, 0, dilation)
        fill(self.conv, params)

    def forward(self, x):
        y = self.conv(same(x, self.size, self.stride, self.dilation))
        if self.activation is None:
            return y
        features, gates = y.chunk(2, 1)
        return self.activation(features) * torch.sigmoid(gates)


def fill(conv, params):
    """Kernel [h,w,I,O] and bias into a convolution."""
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(np.array(params["kernel"]).transpose(3, 2, 0, 1).copy()))
        conv.bias.copy_(torch.tensor(np.array(params["bias"])))


def encoder(params, count, last=F.elu):
    """Its first `count` convolutions."""
    convs = [
        Conv(params[f"conv{n}"], STRIDES.get(n, 1), DILATIONS.get(n, 1), last if n == count else F.elu)
        for n in range(1, count + 1)
    ]
    return nn.Sequential(*convs)


def decoder(params):
    """From a quarter of the size to an image in [-1, 1]."""
    convs = [Conv(params[f"conv{n}"], activation=None if n == 17 else F.elu) for n in range(11, 18)]
    double = nn.Upsample(scale_factor=2, mode="nearest")
    return nn.Sequential(*convs[:2], double, *convs[2:4], double, *convs[4:], nn.Tanh())


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


class Generator(nn.Module):
    """Both stages; images in [0, 1]."""

    def __init__(self, params):
        super().__init__()
        self.coarse = nn.Sequential(encoder(params["coarse_encoder"], 10), decoder(params["coarse_decoder"]))
        self.fine = encoder(params["fine_encoder"], 10)
        branch = params["attentive_branch"]
        self.attentive = encoder(branch["encoder"], 6, last=F.relu)
        self.after = nn.Sequential(*(Conv(branch[name]) for name in ("conv9", "conv10")))
        self.decoder = decoder(params["fine_decoder"])

    def forward(self, image, known):
        hole, seen = 1 - known, (2 * image - 1) * known
        coarse = self.coarse(torch.cat([seen, torch.ones_like(hole), hole], 1))
        filled = coarse * hole + seen * known
        attended = self.attentive(filled)
        attended = self.after(contextual_attention(attended, resize(hole, *attended.shape[2:])))
        fine = self.decoder(torch.cat([self.fine(filled), attended], 1))
        return [(stage + 1) / 2 for stage in (coarse, fine)]


class Critic(nn.Module):
    """Six convolutions whose kernels are divided by sigma = v W u for the stored vectors."""

    def __init__(self, params, vectors):
        super().__init__()
        self.convs = nn.ModuleList()
        for number in range(1, 7):
            layer, stored = params[f"conv{number}"], vectors[f"conv{number}"]["vectors"]
            kernel = np.array(layer["kernel"], np.float64)
            matrix = kernel.reshape(-1, kernel.shape[-1])
            sigma = np.asarray(stored["v"], np.float64) @ matrix @ np.asarray(stored["u"], np.float64)
            params_of_one = {"kernel": (kernel / sigma).astype(np.float32), "bias": layer["bias"]}
            self.convs.append(Conv(params_of_one, stride=2, activation=None))

    def forward(self, image, known):
        x = torch.cat([2 * image - 1, 1 - known], 1)
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        return x
