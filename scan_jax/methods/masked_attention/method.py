"""Section III: a SEAN generator whose style encoder attends from the hole to known pixels; a critic of two scales.

Where its equations are computed stands in this package's `__init__`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp

from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.features.api import LossFeatures
from scan_jax.losses.adversarial import (
    apart,
    critic_accuracy,
    hinge_critic,
    hinge_generator,
    logistic_critic,
    logistic_generator,
    minimax_generator,
    one_batch,
)
from scan_jax.losses.features import DEEP_WEIGHTS, PERCEPTUAL_LAYERS, feature_matching, perceptual_distance
from scan_jax.losses.pixel import l1
from scan_jax.methods.api import Aux, Tree, Trees, Update, Variables
from scan_jax.methods.masked_attention.settings import Settings
from scan_jax.methods.masked_attention.style_search import StyleSearch, StyleSpace
from scan_jax.methods.terms import MethodBase, fresh
from scan_jax.models.discriminators import LabelDiscriminator
from scan_jax.models.sean import STRIDE, Sean
from scan_jax.ops.attention import Kind, attention_rows
from scan_jax.ops.image import complete, enlarge

SIGNED = 2.0  # the networks' images span [-1, 1], where the paper takes its differences, ours [0, 1]
ADVERSARIAL = {
    "log": (logistic_generator, logistic_critic),
    "minimax": (minimax_generator, logistic_critic),
    "hinge": (hinge_generator, hinge_critic),
}
CRITIC_TERMS = ("adversarial", "feature_matching")


class MaskedAttention(MethodBase):
    """The method: generator and critic, trained alternately on one forward pass of the generator a step."""

    stride = STRIDE
    styles: StyleSpace

    def __init__(self, settings: Settings) -> None:
        self.num_labels, dtype = settings.num_labels, jnp.dtype(settings.compute_dtype)
        generator = Sean(
            num_labels=settings.num_labels,
            width=settings.width,
            style_size=settings.style_size,
            hidden=settings.label_width,
            attention=settings.attention,
            target=settings.target if settings.loss.semantic_attention else None,
            query_block=settings.query_block,
            prior=settings.prior,
            dtype=dtype,
        )
        super().__init__(settings, generator)
        self.critic: Any = LabelDiscriminator(settings.num_labels, settings.critic_width, dtype=dtype)
        self.updates: tuple[Update, ...] = (Update("generator", ("generator",), self.generator_loss),)
        if self.weights.keys() & set(CRITIC_TERMS):
            self.networks["critic"] = self.critic
            self.updates += (Update("critic", ("critic",), self.critic_loss),)
        self.layers = dict(zip(PERCEPTUAL_LAYERS.get(settings.features.name, ()), DEEP_WEIGHTS))
        wanted = settings.loss.perceptual or settings.style_search.perceptual
        self.features: Any = LossFeatures(settings.features, tuple(self.layers), dtype) if wanted else None
        self.styles = StyleSpace(self.generator, corrects=settings.prior != "none")
        self.maps = {} if settings.attention == "none" else {"attention": self.attention_map}
        self.refiners = {"style_search": StyleSearch(self.styles, self._distance, settings)}

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables of both networks; only the shapes of `example` matter."""
        seen, generator_rng, critic_rng = example.observe(), *jax.random.split(rng)
        keys = jax.random.split(rng, seen.image.shape[0])
        given = (seen.image, seen.known, seen.labels, keys)
        made = {"generator": self.generator.init(generator_rng, *given, train=False, method="fill")}
        if "critic" in self.networks:
            made["critic"] = self.critic.init(critic_rng, example.labels, example.image, train=False)
        return fresh(made)

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole; every sample's noise comes from the same `rng`, wherever it stands in the batch."""
        return self.styles.paint(variables, observation, self.styles.read(variables, observation), rng)

    def attention(self, variables: Variables, observation: Observation) -> Mapping[str, Array]:
        """What section III-A works on, at half the size with N pixels: "query", "key" [B,N,D] and "known" [B,N]."""
        seen = (observation.image, observation.known, observation.labels)
        collections = ["intermediates", "losses"]
        _, noted = self.generator.apply(variables.of("generator"), *seen, method="encode", mutable=collections)
        return noted["intermediates"]["encoder"]["attention"]["attention"][0]

    def attention_map(self, variables: Variables, observation: Observation, points: Array) -> Array:
        """What hole pixels attend to (Fig. 4): points (row, column) [B,P,2] -> attention over the image [B,P,H,W]."""
        height, width = observation.image.shape[1:3]
        at = points // 2  # [B,P,2]
        parts = self.attention(variables, observation)
        pixels = at[..., 0] * (width // 2) + at[..., 1]  # [B,P]
        rows = attention_rows(**parts, kind=cast(Kind, self.settings.attention), rows=pixels)  # [B,P,N]
        maps = rows.reshape(*points.shape[:2], height // 2, width // 2)  # [B,P,H/2,W/2]
        return enlarge(maps, 2, rows=2) / 4

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The first update: eq. (6)."""
        del carried
        seen = example.observe()
        (painted, prediction), changed = self.generator.apply(
            {"params": params["generator"], **stats["generator"]},
            *(seen.image, seen.known, seen.labels),
            jax.random.split(rng, seen.image.shape[0]),
            train=True,
            mutable=["losses", *stats["generator"]],
            method="fill",
        )
        sown = jax.tree.leaves(changed.pop("losses", {}))
        completion = complete(example.image, prediction, example.known)  # eq. (9)
        region = jnp.ones_like(example.known) if self.settings.region == "everywhere" else example.known
        images = (prediction,) if self.settings.prior == "none" else (painted, prediction)
        terms: dict[str, Any] = {  # eq. (2)
            "pixel": sum(SIGNED * l1(image * region, example.image * region).mean() for image in images)
        }
        if "perceptual" in self.weights:  # eq. (1)
            terms["perceptual"] = self._distance(frozen, prediction * region, example.image * region).mean()
        if "semantic_attention" in self.weights:
            terms["semantic_attention"] = jnp.mean(jnp.stack(sown))  # eqs. (4)-(5) are ops.attention's
        if "critic" in self.networks:
            terms |= self._critic_terms({"params": frozen["critic"], **stats["critic"]}, example, completion)
        return self.weigh(terms, {"generator": {**stats["generator"], **changed}}, completion)

    def _distance(self, frozen: Trees, image: Array, target: Array) -> Array:
        """Eq. (1) for each image: [B,H,W,3] twice -> [B]."""
        found, truth = (self.features(frozen["features"], x) for x in (image, target))
        return perceptual_distance(found, truth, self.layers)

    def _critic_terms(self, critic: Mapping[str, Tree], example: Example, completion: Array) -> dict[str, Array]:
        """What the critic says of the completion, and how far its activations are from the photograph's."""
        answer, _ = ADVERSARIAL[self.settings.adversarial]
        fake = self.critic.apply(critic, example.labels, completion, train=False)  # activations by scale and layer
        terms = {"adversarial": jnp.mean(jnp.stack([answer(layers[-1]).mean() for layers in fake]))}
        if "feature_matching" in self.weights:
            real = self.critic.apply(critic, example.labels, example.image, train=False)
            terms["feature_matching"] = feature_matching(fake, real)
        return terms

    def critic_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The second update, eq. (7): photographs and completions in one batch, so that one power iteration serves."""
        del frozen, rng
        both = one_batch(example.image, carried)  # [2B,H,W,3]
        labels = one_batch(*[jnp.asarray(example.labels)] * 2)  # [2B,H,W]
        variables = {"params": params["critic"], **stats["critic"]}
        scales, changed = self.critic.apply(variables, labels, both, train=True, mutable=list(stats["critic"]))
        _, critic_loss = ADVERSARIAL[self.settings.adversarial]
        logits = [apart(layers[-1]) for layers in scales]  # real and fake [B,h,w,1] of each scale
        loss = jnp.mean(jnp.stack([critic_loss(real, fake).mean() for real, fake in logits]))
        terms = {"critic": loss}
        for index, name in enumerate(("critic_real", "critic_fake")):
            terms[name] = jnp.mean(jnp.stack([pair[index].mean() for pair in logits]))
        terms["critic_accuracy"] = jnp.mean(jnp.stack([critic_accuracy(*pair) for pair in logits]))
        return loss, Aux(terms, {"critic": changed})
