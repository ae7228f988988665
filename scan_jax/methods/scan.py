"""SCAN: Spatial and Channel Attention Normalization for Image Inpainting (Chen et al. 2021), section 3.

Where its equations are: (1) `ops.correlation.orthogonality`, (2) `ops.correlation.patch_correlation`, (3)
`ops.normalization.region_normalize`, all three called by `layers.attention_norm.SpatialAttentionNorm`; (4)
`ops.correlation.channel_correlation`, called by `ChannelAttentionNorm` there, which has (5); the joint loss of section
3.3 is `Scan.generator_loss`, weighed and summed by `losses.pixel.combine`; its adversarial part is in `methods.terms`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from scan_jax.core.bounds import Size
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.features.api import FeatureSettings
from scan_jax.losses.pixel import hole_normalised, l1
from scan_jax.methods.api import Aux, Trees, Variables
from scan_jax.methods.terms import AdversarialMethod, FeatureTerms, PatchCritic, fresh
from scan_jax.models.discriminators import PatchDiscriminator
from scan_jax.models.scan import STRIDE, GeneratorSettings, ScanGenerator
from scan_jax.ops.image import complete


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """The weights of section 3.3; a term of weight 0 is not computed."""

    orthogonality: float = 10.0
    l1: float = 1.0
    perceptual: float = 0.1
    style: float = 250.0
    adversarial: float = 0.1


@dataclasses.dataclass(frozen=True)
class ScanSettings(GeneratorSettings):
    """A config's `method` section; the defaults are the paper's setting."""

    critic_width: Size = 64  # channels of the critic's first level
    orthogonality_scale: float = 1e-3  # lambda_so and lambda_co of eq. (1)
    loss: LossSettings = LossSettings()  # the terms' weights
    # The network behind the perceptual and style terms.
    features: FeatureSettings = dataclasses.field(default_factory=FeatureSettings)

    def __post_init__(self) -> None:
        """Refuses a share for each pixel where there are no two fillings to share between."""
        if self.share == "pixel" and self.prior != "both":
            raise UserError(f"config.method.share='pixel' needs config.method.prior='both', not '{self.prior}'")


def build(section: Mapping[str, Any]) -> Scan:
    """The method for a config's `method` section."""
    return Scan(bind(section, ScanSettings, "config.method"))


class Scan(AdversarialMethod):
    """The method: a generator and a patch critic, trained alternately on one forward pass of the generator a step."""

    stride = STRIDE

    def __init__(self, settings: ScanSettings) -> None:
        critic = PatchCritic(PatchDiscriminator(settings.critic_width, dtype=settings.dtype))
        super().__init__(settings, ScanGenerator(settings), critic)
        self.feature_terms = FeatureTerms(settings.features, self.weights, settings.dtype)
        self.features = self.feature_terms.features

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables of both networks; only the shapes of `example` matter."""
        seen, generator_rng, critic_rng = example.observe(), *jax.random.split(rng)
        keys = jax.random.split(rng, seen.image.shape[0])
        made = {"generator": self.generator.init(generator_rng, seen.image, seen.known, keys)}
        if "critic" in self.networks:
            made["critic"] = self.critic.network.init(critic_rng, example.image, train=False)
        return fresh(made)

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole; every sample draws its patches from the same `rng`, wherever it stands in the batch."""
        keys = jnp.broadcast_to(rng, (observation.image.shape[0],))
        parameters = {"params": variables.params["generator"]}
        seen = (observation.image, observation.known, keys)
        stages, noted = self.generator.apply(parameters, *seen, mutable=["intermediates"])
        stages = [jnp.clip(image, 0.0, 1.0) for image in stages]  # a correction may go too far
        on_the_way = {f"stage {i + 1}": image for i, image in enumerate(stages)}
        if self.settings.prior != "none":
            on_the_way = {"prior": noted["intermediates"]["filled_by_prior"][0], **on_the_way}
        return Prediction(stages[-1], on_the_way)

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The first update: the joint loss of section 3.3; L1 of every stage, the other terms of the last."""
        del carried
        seen = example.observe()
        keys = jax.random.split(rng, seen.image.shape[0])
        stages, sown = self.generator.apply(
            {"params": params["generator"]}, seen.image, seen.known, keys, mutable=["losses"]
        )
        completion = complete(example.image, stages[-1], example.known)
        terms: dict[str, Any] = {
            "orthogonality": self.settings.orthogonality_scale * sum(jax.tree.leaves(sown.get("losses", {}))),
            "l1": sum(hole_normalised(l1(stage, example.image), example.known) for stage in stages),
            **self.feature_terms(frozen, stages[-1], example),
        }
        if "adversarial" in self.weights:
            terms["adversarial"] = self.critic.adversarial(frozen, stats, completion)
        return self.weigh(terms, {}, completion)
