"""Loss terms that several methods share: of a frozen network, of restoration (PConv, RFR), of a patch critic."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.features.api import FeatureSettings, LossFeatures
from scan_jax.losses.adversarial import apart, critic_accuracy, logistic_critic, logistic_generator, one_batch
from scan_jax.losses.features import PERCEPTUAL_LAYERS, STYLE_LAYERS, perceptual_loss, select, style_loss
from scan_jax.losses.pixel import combine
from scan_jax.losses.restoration import FEATURE_TERMS, LAYERS, feature_terms, pixel_terms, total_variation
from scan_jax.methods.api import Aux, MethodBase, Tree, Trees, Update, Variables
from scan_jax.models.discriminators import PatchDiscriminator
from scan_jax.ops.image import complete

TERM_LAYERS = {"perceptual": PERCEPTUAL_LAYERS, "style": STYLE_LAYERS}
LOSSES = {"perceptual": perceptual_loss, "style": style_loss}


class FeatureTerms:
    """The perceptual term on the whole prediction and the style term on its hole; those that have a weight.

    Attributes:
      features: the network, or None where neither term has a weight.
    """

    def __init__(self, settings: FeatureSettings, weights: Mapping[str, float], dtype: Any = jnp.float32) -> None:
        """Those of the network in `settings` that have one of the `weights`; UserError for one that no term knows."""
        self._layers = {term: TERM_LAYERS[term].get(settings.name, ()) for term in TERM_LAYERS if weights.get(term)}
        together = tuple(dict.fromkeys(layer for layers in self._layers.values() for layer in layers))
        self.features = LossFeatures(settings, together, dtype) if self._layers else None

    def __call__(self, frozen: Trees, prediction: Array, example: Example) -> dict[str, Array]:
        """The terms by name, for a raw prediction [B,H,W,3]."""
        regions = {"perceptual": jnp.ones_like(example.known), "style": 1 - example.known}
        terms = {}
        for term in self._layers:
            images = prediction * regions[term], example.image * regions[term]
            terms[term] = LOSSES[term](*(self._activations(frozen, image, term) for image in images))
        return terms

    def _activations(self, frozen: Trees, image: Array, term: str) -> dict[str, Array]:
        """The activations that a term compares, by layer."""
        assert self.features is not None  # for there is a term
        return select(self.features(frozen["features"], image), self._layers[term])


View = Callable[[Array], Array]  # an image -> what a loss is shown of it


class RestorationMethod(MethodBase):
    """Partial convolution and RFR: one network, the five terms of section 3.3 of both papers, two phases.

    The first phase takes the batch's statistics everywhere, "finetune" the running ones in some or all of the network.
    """

    pixels: View = staticmethod(lambda image: image)  # as differences of pixels are taken of it
    shown: View = staticmethod(lambda image: image)  # as the feature network sees it
    evaluates: Any = False  # the network's `train` where the running statistics are taken

    def __init__(self, settings: Any, generator: Any, *, first: Any, finetune: Any) -> None:
        """Of `settings.loss` and `settings.features`, where a network that no term knows is a UserError.

        The generator is called with image, known and `train`, which is `first` or `finetune` by the phase.
        """
        self.settings, self.generator = settings, generator
        self.weights = {term: weight for term, weight in dataclasses.asdict(settings.loss).items() if weight}
        self.networks: dict[str, Any] = {"generator": generator}
        self.updates = (
            Update("generator", ("generator",), partial(self.generator_loss, train=first), phase="first"),
            Update("finetune", ("generator",), partial(self.generator_loss, train=finetune), phase="finetune"),
        )
        layers: Any = LAYERS.get(settings.features.name, ())
        self.features = LossFeatures(settings.features, layers) if self.weights.keys() & set(FEATURE_TERMS) else None

    def smooth(self, completion: Array, known: Array) -> Array:
        """The picture [B,H,W,3] whose total variation counts."""
        raise NotImplementedError

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole, by the running statistics."""
        del rng
        seen = (observation.image, observation.known)
        prediction = self.generator.apply(variables.of("generator"), *seen, train=self.evaluates)
        return Prediction(jnp.clip(prediction, 0, 1))

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array, *, train: Any
    ) -> tuple[Array, Aux]:
        """The loss of section 3.3; `train` says where the batch's statistics are taken."""
        del carried, rng
        seen = example.observe()
        prediction, changed = self.generator.apply(
            {"params": params["generator"], **stats["generator"]},
            *(seen.image, seen.known),
            train=train,
            mutable=list(stats["generator"]),
        )
        completion = complete(example.image, prediction, example.known)
        activations = partial(self.activations, frozen)
        terms = {
            **pixel_terms(self.pixels(prediction), self.pixels(example.image), example.known),
            **feature_terms(activations, prediction, completion, example.image, self.weights),
            "total_variation": total_variation(self.smooth(completion, example.known)),
        }
        terms = {name: jnp.mean(term) for name, term in terms.items() if name in self.weights}
        return combine(terms, self.weights), Aux(terms, {"generator": {**stats["generator"], **changed}})

    def activations(self, frozen: Trees, image: Array) -> Mapping[str, Array]:
        """The feature network's, by layer."""
        assert self.features is not None  # wanted by a term
        return self.features(frozen["features"], self.shown(image))


@dataclasses.dataclass(frozen=True)
class PatchCritic:
    """A network that tells photographs from completions, patch by patch."""

    network: PatchDiscriminator  # without its variables
    name: str = "critic"  # among the method's networks, and of its terms in the log
    weight: float = 1.0  # of its own loss; EdgeConnect takes the mean of both parts, SCAN their sum

    def init(self, rng: Array, image: Array) -> tuple[Tree, Tree]:
        """Fresh parameters and statistics, for images [B,H,W,C]."""
        variables = self.network.init(rng, image, train=False)
        return variables["params"], {"spectral": variables["spectral"]}

    def activations(self, frozen: Trees, stats: Trees, image: Array) -> tuple[Array, ...]:
        """What its layers answer to [B,H,W,C] while it is not trained, the logits last."""
        variables = {"params": frozen[self.name], **stats[self.name]}
        found: Any = self.network.apply(variables, image, train=False, method="activations")
        return found

    def adversarial(self, frozen: Trees, stats: Trees, image: Array) -> Array:
        """The generator's term, non-saturating: [B,H,W,C] -> scalar."""
        return logistic_generator(self.activations(frozen, stats, image)[-1]).mean()

    def loss(self, params: Trees, stats: Trees, real: Array, fake: Array, carried: Any = None) -> tuple[Array, Aux]:
        """Its own update: real against fake images [B,H,W,C] in one batch, so that one power iteration serves both.

        What is `carried` is for the update after this one.
        """
        variables = {"params": params[self.name], **stats[self.name]}
        logits, changed = self.network.apply(variables, one_batch(real, fake), train=True, mutable=["spectral"])
        of_real, of_fake = apart(logits)  # [B,H/8-2,W/8-2,1] each
        loss = self.weight * logistic_critic(of_real, of_fake).mean()
        terms = {
            self.name: loss,
            f"{self.name}_real": of_real.mean(),
            f"{self.name}_fake": of_fake.mean(),
            f"{self.name}_accuracy": critic_accuracy(of_real, of_fake),
        }
        return loss, Aux(terms, {self.name: changed}, jax.lax.stop_gradient(carried))
