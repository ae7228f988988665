"""RFR: Recurrent Feature Reasoning for Image Inpainting (Li et al. 2020).

The smoothness term is, as in the public code, of the completion with black in the place of known pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import jax.numpy as jnp

from scan_jax.core.config import bind
from scan_jax.core.errors import require_at_least
from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.features.api import FeatureSettings
from scan_jax.losses.pixel import combine
from scan_jax.losses.restoration import RestorationWeights
from scan_jax.methods.api import Aux, MethodBase, Trees, Turn, Variables
from scan_jax.methods.terms import RestorationTerms
from scan_jax.models.rfr import STRIDE, Rfr
from scan_jax.ops.image import complete
from scan_jax.ops.imagenet import denormalize


@dataclasses.dataclass(frozen=True)
class RfrSettings:
    """A config's `method` section; the defaults are the published setting.

    Attributes:
      width: channels of the map that recurs.
      recurrences: how often the rim of the hole is filled.
      feature_input: "plain" shows the feature network images in [0, 1] without ImageNet's normalisation, as the public
        code does; "normalized" shows them as the network was trained to see them, and is what other networks than
        VGG want.
      loss: the terms' weights.
      features: the network behind the perceptual and style terms.
    """

    width: int = 64
    recurrences: int = 6
    feature_input: Literal["plain", "normalized"] = "plain"
    loss: RestorationWeights = dataclasses.field(default_factory=RestorationWeights)
    features: FeatureSettings = dataclasses.field(default_factory=lambda: FeatureSettings("vgg16"))


def build(section: Mapping[str, Any]) -> RecurrentFeatureReasoning:
    """The method for a config's `method` section.

    Raises:
      UserError: an unknown key or choice, or a number that makes no network.
    """
    settings = bind(section, RfrSettings, "config.method")
    require_at_least(1, "config.method", recurrences=settings.recurrences)
    require_at_least(8, "config.method", width=settings.width)  # an eighth of it is the narrowest map
    return RecurrentFeatureReasoning(settings)


class RecurrentFeatureReasoning(MethodBase):
    """The method: one network, trained first with the batch's statistics, then with all of them frozen."""

    stride = STRIDE

    def __init__(self, settings: RfrSettings) -> None:
        self.settings = settings
        self.weights = {term: weight for term, weight in dataclasses.asdict(settings.loss).items() if weight}
        self.generator: Any = Rfr(settings.width, settings.recurrences)
        self.networks: dict[str, Any] = {"generator": self.generator}
        first, finetune = (partial(self.generator_loss, train=train) for train in (True, False))
        self.turns = (
            Turn("generator", ("generator",), first, phase="first"),
            Turn("finetune", ("generator",), finetune, phase="finetune"),
        )
        # What the network itself normalises is undone before.
        shown = {"plain": denormalize, "normalized": lambda image: image}[settings.feature_input]
        self.terms = RestorationTerms(settings.features, self.weights, pixels=lambda image: image, features=shown)
        self.features = self.terms.features

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables; only the shapes of `example` matter."""
        seen = example.observe()
        variables = self.generator.init(rng, seen.image, seen.known, train=False)
        return Variables({"generator": variables["params"]}, {"generator": {"batch_stats": variables["batch_stats"]}})

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole, by the running statistics."""
        del rng
        prediction = self.generator.apply(variables.of("generator"), observation.image, observation.known, train=False)
        return Prediction(jnp.clip(prediction, 0, 1))

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array, *, train: bool
    ) -> tuple[Array, Aux]:
        """The loss of section 3.3, with the batch's statistics or the running ones."""
        del carried, rng
        seen = example.observe()
        prediction, changed = self.generator.apply(
            {"params": params["generator"], **stats["generator"]},
            *(seen.image, seen.known),
            train=train,
            mutable=list(stats["generator"]),
        )
        completion = complete(example.image, prediction, example.known)
        terms = self.terms(frozen, prediction, completion, completion * (1 - example.known), example)
        return combine(terms, self.weights), Aux(terms, {"generator": {**stats["generator"], **changed}})
