"""AlexNet (Krizhevsky 2014, the one-column network) in torchvision's layout, up to its last ReLU, for LPIPS."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.features.common import check_request, max_pool
from scan_jax.ops.imagenet import normalize

# layer -> (channels, kernel, stride, padding) of the convolution before it
CONVOLUTIONS = {
    "relu1": (64, 11, 4, 2),
    "relu2": (192, 5, 1, 2),
    "relu3": (384, 3, 1, 1),
    "relu4": (256, 3, 1, 1),
    "relu5": (256, 3, 1, 1),
}
POOLED = ("relu2", "relu3")  # these come after a pooling
LAYERS = tuple(CONVOLUTIONS)
MIN_SIDE = 7  # pixels, for one window of the first convolution


class AlexNet(nn.Module):
    """Named activations of an image; nothing beyond the deepest layer asked for is computed or has parameters."""

    layers: tuple[str, ...]  # which of `LAYERS`, in any order
    dtype: Any = jnp.float32  # of the convolutions and of what comes back; parameters stay float32

    @nn.compact
    def __call__(self, image: Array) -> dict[str, Array]:
        """[B,H,W,3] in [0, 1] -> {"relu1": [B,(H-7)//4+1,(W-7)//4+1,64], "relu2": [B,h,w,192], ...}."""
        check_request("AlexNet", image, self.layers, LAYERS, MIN_SIDE)
        x = normalize(image).astype(self.dtype)
        found: dict[str, Array] = {}
        for name, (width, size, stride, pad) in CONVOLUTIONS.items():
            if len(found) == len(set(self.layers)):
                break
            x = max_pool(x, 3) if name in POOLED else x
            convolution = nn.Conv(
                width,
                (size, size),
                strides=(stride, stride),
                padding=((pad, pad), (pad, pad)),
                dtype=self.dtype,
                name=name.replace("relu", "conv"),
            )
            x = jax.nn.relu(convolution(x))  # [B,h,w,width]
            if name in self.layers:
                found[name] = x
        return found
