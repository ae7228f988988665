"""VGG-19 (Simonyan & Zisserman 2015) up to its last ReLU, for perceptual and style losses."""

from __future__ import annotations

from typing import ClassVar

from scan_jax.features._vgg import VGG, layer_names


class VGG19(VGG):
    """See `VGG`: named activations, in float32 parameters of which only the needed ones exist."""

    title: ClassVar[str] = "VGG-19"
    depths: ClassVar[tuple[int, ...]] = (2, 2, 4, 4, 4)


LAYERS = layer_names(VGG19.depths)
NETWORK = VGG19  # what `features.api` builds
