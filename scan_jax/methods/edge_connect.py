"""EdgeConnect: Generative Image Inpainting with Adversarial Edge Learning (Nazeri et al. 2019).

Three phases: "edge" trains the edge generator, "completion" the completion generator on true edges, "joint" both, where
the completion's loss reaches the edge generator through the edges that it drew (the released code's models 1, 2 and 4).
Input edges are always those of known pixels alone. The released code takes them from the whole photograph in training,
where pixels of the hole blur into them, and from known pixels in tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from scan_jax.core.bounds import Blur, Repeats, Size
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.features.api import FeatureSettings
from scan_jax.losses.adversarial import logistic_generator
from scan_jax.losses.features import match_layers
from scan_jax.losses.pixel import combine, hole_normalised, l1
from scan_jax.methods.api import Aux, Trees, Update, Variables
from scan_jax.methods.terms import FeatureTerms, MethodBase, PatchCritic, fresh
from scan_jax.models.discriminators import PatchDiscriminator
from scan_jax.models.edge_connect import START, STRIDE, EdgeConnectGenerator
from scan_jax.ops.canny import canny
from scan_jax.ops.image import complete, luma

EDGE_TERMS = ("edge_adversarial", "feature_matching")


@dataclasses.dataclass(frozen=True)
class EdgeConnectWeights:
    """The terms' weights, of the edge generator's two and the completion's four; a term of weight 0 is not computed."""

    edge_adversarial: float = 1.0
    feature_matching: float = 10.0
    l1: float = 1.0
    perceptual: float = 0.1
    style: float = 250.0
    adversarial: float = 0.1


@dataclasses.dataclass(frozen=True)
class EdgeConnectSettings:
    """A config's `method` section; the defaults are the published setting."""

    width: Size = 64  # channels of both generators at stride 1
    critic_width: Size = 64  # channels of both critics' first level
    blocks: Repeats = 8  # residual blocks of each generator
    sigma: Blur = 2.0  # of the blur under the edges, in pixels
    loss: EdgeConnectWeights = EdgeConnectWeights()  # the terms' weights
    # The network behind the perceptual and style terms.
    features: FeatureSettings = dataclasses.field(default_factory=FeatureSettings)


def build(section: Mapping[str, Any]) -> EdgeConnect:
    """The method for a config's `method` section; a UserError, too, for an edge generator that nothing trains."""
    settings = bind(section, EdgeConnectSettings, "config.method")
    if not settings.loss.edge_adversarial:
        raise UserError("config.method.loss.edge_adversarial must not be 0: the critic is what edges are learned from")
    return EdgeConnect(settings)


class Sketch(NamedTuple):
    """A photograph without its colours, all [B,H,W,1]."""

    gray: Array  # the whole photograph, the hole too
    seen: Array  # edges of what is known
    edges: Array  # those of the whole photograph


class EdgeConnect(MethodBase):
    """The method: two generators in one network, a critic of edges, and one of colours."""

    stride = STRIDE

    def __init__(self, settings: EdgeConnectSettings) -> None:
        super().__init__(settings, EdgeConnectGenerator(settings.width, settings.blocks))
        self._edge_weights = {term: self.weights[term] for term in EDGE_TERMS if term in self.weights}
        self._colour_weights = {term: weight for term, weight in self.weights.items() if term not in EDGE_TERMS}
        discriminator = PatchDiscriminator(settings.critic_width, input_range="unit", kernel_init=START)
        self.edge_critic = PatchCritic(discriminator, "edge_critic", weight=0.5)
        self.critic = PatchCritic(discriminator, "critic", weight=0.5)
        self.networks["edge_critic"] = discriminator
        if "adversarial" in self.weights:
            self.networks["critic"] = discriminator
        self.updates: tuple[Update, ...] = self._updates()
        self.feature_terms = FeatureTerms(settings.features, self.weights)
        self.features = self.feature_terms.features

    def _updates(self) -> tuple[Update, ...]:
        """Of all phases; a critic that no generator listens to has none."""
        updates = (
            Update("edge", ("generator",), self.edge_loss, "edge"),
            Update("edge_critic", ("edge_critic",), self.edge_critic_loss, "edge"),
            Update("completion", ("generator",), self.completion_loss, "completion"),
            Update("critic", ("critic",), self.critic_loss, "completion"),
            Update("joint", ("generator",), self.joint_loss, "joint"),
            Update("joint_edge_critic", ("edge_critic",), self.edge_critic_loss, "joint"),
            Update("joint_critic", ("critic",), self.critic_loss, "joint"),
        )
        return tuple(update for update in updates if set(update.trains) <= set(self.networks))

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables of all networks; only the shapes of `example` matter."""
        generator_rng, edge_rng, critic_rng = jax.random.split(rng, 3)
        gray = luma(example.image)  # [B,H,W,1]
        made = {"generator": self.generator.init(generator_rng, example.image, gray, example.known, train=False)}
        pair = jnp.concatenate([gray, gray], axis=-1)  # [B,H,W,2]
        made["edge_critic"] = self.edge_critic.network.init(edge_rng, pair, train=False)
        if "critic" in self.networks:
            made["critic"] = self.critic.network.init(critic_rng, example.image, train=False)
        return fresh(made)

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole between the known pixels' edges and those that the edge generator draws into it."""
        del rng
        edges = canny(luma(observation.image), observation.known, self.settings.sigma)  # [B,H,W,1]
        seen = (observation.image, edges, observation.known)
        image, edges = self.generator.apply(variables.of("generator"), *seen, train=False)
        return Prediction(image, {"edges": jnp.repeat(edges, 3, axis=-1)})

    def _sketch(self, example: Example) -> Sketch:
        """What the edge generator is shown, and what it should draw."""
        gray, sigma = luma(example.image), self.settings.sigma
        return Sketch(gray, canny(gray, example.known, sigma), canny(gray, jnp.ones_like(gray), sigma))

    def _draw(self, params: Trees, stats: Trees, sketch: Sketch, known: Array) -> tuple[Array, Trees]:
        """Edges everywhere [B,H,W,1], and the generator's statistics after that."""
        drawn, changed = self.generator.apply(
            {"params": params["generator"], **stats["generator"]},
            *(sketch.gray * known, sketch.seen, known),
            train=True,
            method="draw",
            mutable=["spectral"],
        )
        return drawn, {"generator": {**stats["generator"], **changed}}

    def _edge_terms(self, frozen: Trees, stats: Trees, sketch: Sketch, drawn: Array) -> dict[str, Array]:
        """What the critic of edges says of those that were drawn, beside the grey photograph."""
        fake, real = (
            self.edge_critic.activations(frozen, stats, jnp.concatenate([sketch.gray, edges], axis=-1))
            for edges in (drawn, sketch.edges)
        )
        terms = {"edge_adversarial": logistic_generator(fake[-1]).mean(), "feature_matching": match_layers(fake, real)}
        return {name: term for name, term in terms.items() if name in self.weights}

    def _paint(self, params: Trees, seen: Observation, edges: Array) -> Array:
        """Colours everywhere [B,H,W,3], between edges [B,H,W,1]."""
        networks = {"params": params["generator"]}
        painted: Array = self.generator.apply(networks, seen.image, edges, seen.known, method="paint")
        return painted

    def _colour_terms(self, frozen: Trees, stats: Trees, example: Example, painted: Array) -> dict[str, Array]:
        """The completion's terms, all of its raw output."""
        terms = {
            "l1": hole_normalised(l1(painted, example.image), example.known),
            **self.feature_terms(frozen, painted, example),
        }
        if "adversarial" in self.weights:
            terms["adversarial"] = self.critic.adversarial(frozen, stats, painted)
        return {name: term for name, term in terms.items() if name in self.weights}

    def edge_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """Trains the edge generator alone: the completion generator has no part in it."""
        del carried, rng
        sketch = self._sketch(example)
        drawn, changed = self._draw(params, stats, sketch, example.known)
        terms = self._edge_terms(frozen, stats, sketch, drawn)
        return combine(terms, self._edge_weights), Aux(terms, changed, _shown(sketch, drawn, None))

    def completion_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """Trains the completion generator alone, on the true edges: the edge generator is not asked."""
        del carried, rng
        painted = self._paint(params, example.observe(), self._sketch(example).edges)
        terms = self._colour_terms(frozen, stats, example, painted)
        return combine(terms, self._colour_weights), Aux(terms, {}, {"painted": jax.lax.stop_gradient(painted)})

    def joint_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """Trains both, the edge generator on the completion's loss as well."""
        del carried, rng
        sketch = self._sketch(example)
        drawn, changed = self._draw(params, stats, sketch, example.known)
        painted = self._paint(params, example.observe(), complete(sketch.seen, drawn, example.known))
        terms = {
            **self._edge_terms(frozen, stats, sketch, drawn),
            **self._colour_terms(frozen, stats, example, painted),
        }
        return combine(terms, self.weights), Aux(terms, changed, _shown(sketch, drawn, painted))

    def edge_critic_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """True edges against those that were drawn, each beside the grey photograph."""
        del frozen, example, rng
        real, fake = carried["true"], carried["drawn"]  # [B,H,W,2] each
        return self.edge_critic.loss(params, stats, real, fake, carried=carried)

    def critic_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """Photographs against raw predictions."""
        del frozen, rng
        return self.critic.loss(params, stats, example.image, carried["painted"])


def _shown(sketch: Sketch, drawn: Array, painted: Array | None) -> dict[str, Array | None]:
    """What the critics' updates compare: pairs of grey photograph and edges [B,H,W,2], and the painted image."""
    pairs = {"true": sketch.edges, "drawn": drawn}
    shown = {name: jnp.concatenate([sketch.gray, edges], axis=-1) for name, edges in pairs.items()}
    return jax.lax.stop_gradient({**shown, "painted": painted})
