"""VGG-16 (Simonyan & Zisserman 2015) up to its last ReLU, for LPIPS and perceptual losses."""

from __future__ import annotations

from typing import ClassVar

from scan_jax.features._vgg import VGG, layer_names


class VGG16(VGG):
    """See `VGG`: named activations, in float32 parameters of which only the needed ones exist."""

    title: ClassVar[str] = "VGG-16"
    depths: ClassVar[tuple[int, ...]] = (2, 2, 3, 3, 3)


LAYERS = layer_names(VGG16.depths)
NETWORK = VGG16  # what `features.api` builds
