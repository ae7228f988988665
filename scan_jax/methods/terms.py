"""What methods share: their beginnings, and loss terms of a frozen network, of restoration and of a patch critic."""

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
from scan_jax.losses.features import FEATURE_LOSSES, PERCEPTUAL_LAYERS, STYLE_LAYERS, select
from scan_jax.losses.pixel import combine
from scan_jax.losses.restoration import LAYERS, feature_terms, pixel_terms, total_variation
from scan_jax.methods.api import Aux, PixelMap, Refiner, Styles, Tree, Trees, Update, Variables
from scan_jax.ops.image import complete

TERM_LAYERS = {"perceptual": PERCEPTUAL_LAYERS, "style": STYLE_LAYERS}

Judge = Callable[..., Array]  # logits -> loss, both [B,h,w,C]


class MethodBase:
    """What most methods share of `Method`; a method overrides what it has besides."""

    num_labels: int = 0
    refiners: Mapping[str, Refiner] = {}
    maps: Mapping[str, PixelMap] = {}
    styles: Styles | None = None
    features: LossFeatures | None = None  # the frozen network behind losses

    def __init__(self, settings: Any, generator: Any) -> None:
        """Of `settings.loss`, the terms' weights, those that are 0 are left out: such a term is not computed."""
        self.settings, self.generator = settings, generator
        self.weights = {term: weight for term, weight in dataclasses.asdict(settings.loss).items() if weight}
        self.networks: dict[str, Any] = {"generator": generator}

    @property
    def least_size(self) -> int:
        """The least size of photographs to train on: below 32 critics and feature networks may have no pixel left."""
        return 32 if self.features or len(self.networks) > 1 else 1

    def load_frozen(self) -> Trees:
        """The feature network's weights, where a loss reads it."""
        return {"features": self.features.load()} if self.features else {}

    def frozen_shapes(self) -> Trees:
        """What `load_frozen` returns, without its memory; no weights are needed."""
        return {"features": self.features.shapes()} if self.features else {}

    def weigh(self, terms: Mapping[str, Any], changed: Trees, carried: Any = None) -> tuple[Array, Aux]:
        """The loss of those terms that have a weight, and what an update hands back beside it."""
        terms = {name: jnp.asarray(term) for name, term in terms.items() if name in self.weights}
        return combine(terms, self.weights), Aux(terms, changed, jax.lax.stop_gradient(carried))


def fresh(networks: Mapping[str, Tree]) -> Variables:
    """What the networks' `init` made: parameters, and the collections that a forward pass changes."""
    kept = ("batch_stats", "spectral", "noise")
    stats = {name: {kind: made[kind] for kind in kept if kind in made} for name, made in networks.items()}
    return Variables({name: made["params"] for name, made in networks.items()}, stats)


class FeatureTerms:
    """The perceptual term on the whole prediction and the style term on its hole; those that have a weight."""

    def __init__(self, settings: FeatureSettings, weights: Mapping[str, float], dtype: Any = jnp.float32) -> None:
        """Those of the network in `settings` that have one of the `weights`; UserError for one that no term knows."""
        self._layers = {term: TERM_LAYERS[term].get(settings.name, ()) for term in TERM_LAYERS if weights.get(term)}
        together = tuple(dict.fromkeys(layer for layers in self._layers.values() for layer in layers))
        self.features = LossFeatures(settings, together, dtype) if self._layers else None  # where a term has a weight

    def __call__(self, frozen: Trees, prediction: Array, example: Example) -> dict[str, Array]:
        """The terms by name, for a raw prediction [B,H,W,3]."""
        regions = {"perceptual": jnp.ones_like(example.known), "style": 1 - example.known}
        terms = {}
        for term in self._layers:
            images = prediction * regions[term], example.image * regions[term]
            terms[term] = FEATURE_LOSSES[term](*(self._activations(frozen, image, term) for image in images))
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
        super().__init__(settings, generator)
        self.updates = (
            Update("generator", ("generator",), partial(self.generator_loss, train=first), phase="first"),
            Update("finetune", ("generator",), partial(self.generator_loss, train=finetune), phase="finetune"),
        )
        layers: Any = LAYERS.get(settings.features.name, ())
        self.features = LossFeatures(settings.features, layers) if self.weights.keys() & FEATURE_LOSSES.keys() else None

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
        means = {name: jnp.mean(term) for name, term in terms.items()}
        return self.weigh(means, {"generator": {**stats["generator"], **changed}})

    def activations(self, frozen: Trees, image: Array) -> Mapping[str, Array]:
        """The feature network's, by layer."""
        assert self.features is not None  # wanted by a term
        return self.features(frozen["features"], self.shown(image))


@dataclasses.dataclass(frozen=True)
class PatchCritic:
    """A network that tells photographs from completions, patch by patch."""

    network: Any  # without its variables; called with images [B,H,W,C] and maps that go with them, and `train`
    name: str = "critic"  # among the method's networks, and of its terms in the log
    weight: float = 1.0  # of its own loss; EdgeConnect takes the mean of both parts, SCAN their sum
    losses: tuple[Judge, Judge] = (logistic_generator, logistic_critic)

    def activations(self, frozen: Trees, stats: Trees, image: Array) -> tuple[Array, ...]:
        """What its layers answer to [B,H,W,C] while it is not trained, the logits last."""
        return self._answer(frozen, stats, image, method="activations")

    def adversarial(self, frozen: Trees, stats: Trees, image: Array, *maps: Array) -> Array:
        """The generator's term: [B,H,W,C] -> scalar."""
        return self.losses[0](self._answer(frozen, stats, image, *maps)).mean()

    def _answer(self, frozen: Trees, stats: Trees, *given: Array, method: str | None = None) -> Any:
        variables = {"params": frozen[self.name], **stats[self.name]}
        return self.network.apply(variables, *given, train=False, method=method)

    def loss(
        self, params: Trees, stats: Trees, real: Array, fake: Array, *maps: Array, carried: Any = None
    ) -> tuple[Array, Aux]:
        """Its own update: real against fake images [B,H,W,C] in one batch, so that one power iteration serves both.

        What is `carried` is for the update after this one.
        """
        variables = {"params": params[self.name], **stats[self.name]}
        both = (one_batch(real, fake), *(one_batch(x, x) for x in maps))
        logits, changed = self.network.apply(variables, *both, train=True, mutable=["spectral"])
        of_real, of_fake = apart(logits)  # [B,h,w,C] each
        loss = self.weight * self.losses[1](of_real, of_fake).mean()
        terms = critic_terms(self.name, loss, of_real, of_fake)
        return loss, Aux(terms, {self.name: changed}, jax.lax.stop_gradient(carried))


def critic_terms(name: str, loss: Array, real: Array, fake: Array) -> dict[str, Array]:
    """What is logged of a critic's update, by name: its loss, the means of its logits [B,h,w,C], and its accuracy."""
    terms = {name: loss, f"{name}_real": real.mean(), f"{name}_fake": fake.mean()}
    return {**terms, f"{name}_accuracy": critic_accuracy(real, fake)}


class AdversarialMethod(MethodBase):
    """A generator and a patch critic, trained alternately on one forward pass of the generator a step."""

    def __init__(self, settings: Any, generator: Any, critic: PatchCritic) -> None:
        """The critic is left out where `settings.loss.adversarial` is 0."""
        super().__init__(settings, generator)
        self.critic = critic
        self.updates: tuple[Update, ...] = (Update("generator", ("generator",), self.generator_loss),)
        if "adversarial" in self.weights:
            self.networks["critic"] = critic.network
            self.updates += (Update("critic", ("critic",), self.critic_loss),)

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables of both networks; only the shapes of `example` matter."""
        generator_rng, critic_rng = jax.random.split(rng)
        made = {"generator": self.generator.init(generator_rng, example.image, example.known, train=False)}
        if "critic" in self.networks:
            made["critic"] = self.critic.network.init(critic_rng, example.image, train=False)
        return fresh(made)

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The first update; it carries on the images that the critic's update compares with photographs."""
        raise NotImplementedError

    def critic_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The second update: photographs against what the generator made."""
        del frozen, rng
        return self.critic.loss(params, stats, example.image, carried)
