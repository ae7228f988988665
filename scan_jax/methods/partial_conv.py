"""Partial convolution: Image Inpainting for Irregular Holes Using Partial Convolutions (Liu et al. 2018).

The paper leaves the images' unit open. Pixel terms and smoothness are of ImageNet-normalised images here, as in the
PyTorch port whose weights are public (naoto0804), so that the published weights of the terms mean what they mean there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp

from scan_jax.core.config import bind
from scan_jax.core.errors import require_at_least
from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.features.api import FeatureSettings
from scan_jax.losses.pixel import combine
from scan_jax.losses.restoration import RestorationWeights
from scan_jax.methods.api import Aux, MethodBase, Trees, Turn, Variables
from scan_jax.methods.terms import RestorationTerms
from scan_jax.models.partial_conv_unet import DECODER, ENCODER, PartialConvUNet
from scan_jax.ops.image import complete
from scan_jax.ops.imagenet import normalize


@dataclasses.dataclass(frozen=True)
class PartialConvSettings:
    """A config's `method` section; the defaults are the published setting.

    Attributes:
      width: channels of the first level.
      depth: levels; images must be multiples of 2**depth.
      loss: the terms' weights.
      features: the network behind the perceptual and style terms.
    """

    width: int = 64
    depth: int = 7
    loss: RestorationWeights = dataclasses.field(default_factory=RestorationWeights)
    features: FeatureSettings = dataclasses.field(default_factory=lambda: FeatureSettings("vgg16"))


def build(section: Mapping[str, Any]) -> PartialConvMethod:
    """The method for a config's `method` section.

    Raises:
      UserError: an unknown key or choice, or a number that makes no network.
    """
    settings = bind(section, PartialConvSettings, "config.method")
    require_at_least(1, "config.method", width=settings.width)
    require_at_least(2, "config.method", depth=settings.depth)
    return PartialConvMethod(settings)


class PartialConvMethod(MethodBase):
    """The method: one network, trained first with all batch statistics, then with the encoder's frozen."""

    def __init__(self, settings: PartialConvSettings) -> None:
        self.settings = settings
        self.stride = 2**settings.depth
        self.weights = {term: weight for term, weight in dataclasses.asdict(settings.loss).items() if weight}
        self.generator: Any = PartialConvUNet(settings.width, settings.depth)
        self.networks: dict[str, Any] = {"generator": self.generator}
        first = partial(self.generator_loss, statistics=(ENCODER, DECODER))
        finetune = partial(self.generator_loss, statistics=(DECODER,))
        self.turns = (
            Turn("generator", ("generator",), first, phase="first"),
            Turn("finetune", ("generator",), finetune, phase="finetune"),
        )
        self.terms = RestorationTerms(settings.features, self.weights, pixels=normalize, features=lambda image: image)
        self.features = self.terms.features

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables; of a blank image, for those of `example` may be too small for so many levels."""
        del example
        image = jnp.zeros((1, self.stride, self.stride, 3))
        variables = self.generator.init(rng, image, image[..., :1])
        stats = {"batch_stats": variables["batch_stats"]}
        return Variables({"generator": variables["params"]}, {"generator": stats})

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole, by the running statistics."""
        del rng
        prediction = self.generator.apply(variables.of("generator"), observation.image, observation.known)
        return Prediction(jnp.clip(prediction, 0, 1))

    def generator_loss(
        self,
        params: Trees,
        frozen: Trees,
        stats: Trees,
        example: Example,
        carried: Any,
        rng: Array,
        *,
        statistics: tuple[str, ...],
    ) -> tuple[Array, Aux]:
        """Eq. (7), with the batch's statistics in those parts of the network that are named."""
        del carried, rng
        seen = example.observe()
        prediction, changed = self.generator.apply(
            {"params": params["generator"], **stats["generator"]},
            *(seen.image, seen.known),
            train=statistics,
            mutable=list(stats["generator"]),
        )
        completion = complete(example.image, prediction, example.known)
        terms = self.terms(frozen, prediction, completion, normalize(completion), example)
        return combine(terms, self.weights), Aux(terms, {"generator": {**stats["generator"], **changed}})
