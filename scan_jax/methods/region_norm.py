"""Region Normalization for Image Inpainting (Yu et al. 2020): hole and known pixels have statistics of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from scan_jax.core.bounds import Repeats, Share, Size
from scan_jax.core.config import bind
from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.losses.pixel import hole_normalised, l1
from scan_jax.methods.api import Aux, Trees, Variables
from scan_jax.methods.terms import AdversarialMethod, PatchCritic
from scan_jax.models.discriminators import PatchDiscriminator
from scan_jax.models.region_norm import STRIDE, RegionNormGenerator, published_start
from scan_jax.ops.image import complete


@dataclasses.dataclass(frozen=True)
class RegionNormWeights:
    """The terms' weights in the released code; a term of weight 0 is not computed."""

    l1: float = 1.0
    adversarial: float = 0.1


@dataclasses.dataclass(frozen=True)
class RegionNormSettings:
    """A config's `method` section; the defaults are the published setting."""

    width: Size = 64  # channels at stride 1
    critic_width: Size = 64  # channels of the critic's first level
    blocks: Repeats = 8  # residual blocks
    threshold: Share = 0.8  # of the importance of a pixel, from which on it belongs to the learned region
    loss: RegionNormWeights = RegionNormWeights()  # the terms' weights


def build(section: Mapping[str, Any]) -> RegionNorm:
    """The method for a config's `method` section."""
    return RegionNorm(bind(section, RegionNormSettings, "config.method"))


class RegionNorm(AdversarialMethod):
    """The method: a generator and a patch critic, trained alternately on one forward pass of the generator a step."""

    stride = STRIDE

    def __init__(self, settings: RegionNormSettings) -> None:
        generator = RegionNormGenerator(settings.width, settings.blocks, settings.threshold)
        critic = PatchDiscriminator(settings.critic_width, input_range="unit", kernel_init=published_start)
        super().__init__(settings, generator, PatchCritic(critic, weight=0.5))

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole; the statistics are each image's own, where the released code takes the batch's."""
        del rng
        return Prediction(self._fill(variables.params, observation, train=False))

    def _fill(self, params: Trees, seen: Observation, *, train: bool) -> Array:
        """The raw prediction [B,H,W,3]."""
        prediction: Array = self.generator.apply({"params": params["generator"]}, seen.image, seen.known, train=train)
        return prediction

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The first update: L1 of the completion, by the hole's share; the critic sees the raw prediction."""
        del carried, rng
        prediction = self._fill(params, example.observe(), train=True)
        completion = complete(example.image, prediction, example.known)
        terms = {"l1": hole_normalised(l1(completion, example.image), example.known)}
        if "adversarial" in self.weights:
            terms["adversarial"] = self.critic.adversarial(frozen, stats, prediction)
        return self.weigh(terms, {}, prediction)
