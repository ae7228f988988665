"""The U-Net of partial convolutions in PyTorch, in its literal form."""

import torch_layers as layers
from torch_layers import F, torch

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def unet(params, norms, image, known, train):
    """Images [B,3,H,W] in [0, 1], known [B,1,H,W], parts that use the batch's statistics -> [B,3,H,W]."""
    x, known = (image - MEAN) / STD * known, known.expand(-1, 3, -1, -1)
    depth = sum(name.startswith("enc") for name in params)
    maps, knowns = [x], [known]
    for name in (f"enc{level}" for level in range(1, depth + 1)):
        x, known = layers.partial_conv(x, known, params[name].get("conv", params[name]), stride=2)
        if name != "enc1":
            x = norms(x, params[name]["norm"], (name, "norm"), "encoder" in train)
        x = F.relu(x)
        maps.append(x)
        knowns.append(known)
    for level in range(depth, 0, -1):
        name = f"dec{level}"
        x, known = (F.interpolate(value, scale_factor=2, mode="nearest") for value in (x, known))
        x, known = torch.cat([x, maps[level - 1]], 1), torch.cat([known, knowns[level - 1]], 1)
        x, known = layers.partial_conv(x, known, params[name].get("conv", params[name]))
        if level > 1:
            x = F.leaky_relu(norms(x, params[name]["norm"], (name, "norm"), "decoder" in train), 0.2)
    return x * STD + MEAN
