"""RFR: Recurrent Feature Reasoning for Image Inpainting (Li et al. 2020).

The smoothness term is, as in the public code, of the completion with black in the place of known pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from scan_jax.core.bounds import Range
from scan_jax.core.config import bind
from scan_jax.core.types import Array, Example
from scan_jax.features.api import FeatureSettings
from scan_jax.losses.restoration import RestorationWeights
from scan_jax.methods.api import Variables
from scan_jax.methods.terms import RestorationMethod, fresh
from scan_jax.models.rfr import STRIDE, Rfr
from scan_jax.ops.imagenet import denormalize


@dataclasses.dataclass(frozen=True)
class RfrSettings:
    """A config's `method` section; the defaults are the published setting."""

    width: Annotated[int, Range(8, 2**16)] = 64  # channels of the map that recurs; an eighth is the narrowest map
    recurrences: Annotated[int, Range(1, 100)] = 6  # how often the rim of the hole is filled
    # "plain" shows the feature network images in [0, 1] without ImageNet's normalisation, as the public code does;
    # "normalized" shows them as the network was trained to see them, and is what other networks than VGG want.
    feature_input: Literal["plain", "normalized"] = "plain"
    loss: RestorationWeights = dataclasses.field(default_factory=RestorationWeights)  # the terms' weights
    # The network behind the perceptual and style terms.
    features: FeatureSettings = dataclasses.field(default_factory=lambda: FeatureSettings("vgg16"))


def build(section: Mapping[str, Any]) -> RecurrentFeatureReasoning:
    """The method for a config's `method` section."""
    return RecurrentFeatureReasoning(bind(section, RfrSettings, "config.method"))


class RecurrentFeatureReasoning(RestorationMethod):
    """The method: one network, trained first with the batch's statistics, then with all of them frozen."""

    stride = STRIDE

    def __init__(self, settings: RfrSettings) -> None:
        if settings.feature_input == "plain":  # what the feature network itself normalises is undone before
            self.shown = denormalize
        super().__init__(settings, Rfr(settings.width, settings.recurrences), first=True, finetune=False)

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables; only the shapes of `example` matter."""
        seen = example.observe()
        return fresh({"generator": self.generator.init(rng, seen.image, seen.known, train=False)})

    def smooth(self, completion: Array, known: Array) -> Array:
        """The completion with black in the place of known pixels."""
        return completion * (1 - known)
