"""Partial convolution: Image Inpainting for Irregular Holes Using Partial Convolutions (Liu et al. 2018).

The paper leaves the images' unit open. Pixel terms and smoothness are of ImageNet-normalised images here, as in the
PyTorch port whose weights are public (naoto0804), so that the published weights of the terms mean what they mean there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

import jax.numpy as jnp

from scan_jax.core.bounds import Range, Size
from scan_jax.core.config import bind
from scan_jax.core.types import Array, Example
from scan_jax.features.api import FeatureSettings
from scan_jax.losses.restoration import RestorationWeights
from scan_jax.methods.api import Variables
from scan_jax.methods.terms import RestorationMethod, fresh
from scan_jax.models.partial_conv_unet import DECODER, ENCODER, PartialConvUNet
from scan_jax.ops.imagenet import normalize


@dataclasses.dataclass(frozen=True)
class PartialConvSettings:
    """A config's `method` section; the defaults are the published setting."""

    width: Size = 64  # channels of the first level
    depth: Annotated[int, Range(2, 16)] = 7  # levels; images must be multiples of 2**depth
    loss: RestorationWeights = dataclasses.field(default_factory=RestorationWeights)  # the terms' weights
    # The network behind the perceptual and style terms.
    features: FeatureSettings = dataclasses.field(default_factory=lambda: FeatureSettings("vgg16"))


def build(section: Mapping[str, Any]) -> PartialConvMethod:
    """The method for a config's `method` section."""
    return PartialConvMethod(bind(section, PartialConvSettings, "config.method"))


class PartialConvMethod(RestorationMethod):
    """The method: one network, trained first with all batch statistics, then with the encoder's frozen."""

    pixels = staticmethod(normalize)
    evaluates = ()

    def __init__(self, settings: PartialConvSettings) -> None:
        self.stride = 2**settings.depth
        network = PartialConvUNet(settings.width, settings.depth)
        super().__init__(settings, network, first=(ENCODER, DECODER), finetune=(DECODER,))

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables; of a blank image, for those of `example` may be too small for so many levels."""
        del example
        image = jnp.zeros((1, self.stride, self.stride, 3))
        return fresh({"generator": self.generator.init(rng, image, image[..., :1])})

    def smooth(self, completion: Array, known: Array) -> Array:
        """The completion, in ImageNet's units."""
        del known
        return normalize(completion)
