"""Free-Form Image Inpainting with Gated Convolution (Yu et al. 2019), trained as its public code does, unguided."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp

from scan_jax.core.bounds import Range, Size
from scan_jax.core.config import bind
from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.losses.adversarial import hinge_critic, hinge_generator
from scan_jax.losses.pixel import l1
from scan_jax.methods.api import Aux, PixelMap, Trees, Variables
from scan_jax.methods.terms import AdversarialMethod, PatchCritic, fresh
from scan_jax.models.discriminators import SnPatchGan
from scan_jax.models.gated_conv import STRIDE, GatedConvGenerator
from scan_jax.ops.contextual_attention import contextual_weights
from scan_jax.ops.image import complete, enlarge, shrink_nearest

SIGNED = 2.0  # the paper takes its differences of images in [-1, 1], ours span [0, 1]


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """The weights of section 3.3; a term of weight 0 is not computed."""

    l1: float = 1.0  # mean difference in [-1, 1], of both stages, over the whole image
    adversarial: float = 1.0  # hinge loss on the completion


@dataclasses.dataclass(frozen=True)
class GatedConvSettings:
    """A config's `method` section; the defaults are the public code's."""

    # Channels of the first convolutions, features and gates together; it is halved twice.
    width: Annotated[int, Range(4, 2**16, multiple=4)] = 48
    critic_width: Size = 64  # channels of the critic's first level
    # "float32" or "bfloat16", of convolutions and products; all else is float32.
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    loss: LossSettings = LossSettings()  # the terms' weights


def build(section: Mapping[str, Any]) -> GatedConv:
    """The method for a config's `method` section."""
    return GatedConv(bind(section, GatedConvSettings, "config.method"))


class GatedConv(AdversarialMethod):
    """The method: a generator of two stages and SN-PatchGAN, trained alternately on one forward pass a step."""

    stride = STRIDE

    def __init__(self, settings: GatedConvSettings) -> None:
        dtype = jnp.dtype(settings.compute_dtype)
        critic = SnPatchGan(settings.critic_width, dtype)
        critic_losses = (hinge_generator, hinge_critic)
        super().__init__(
            settings, GatedConvGenerator(settings.width, dtype), PatchCritic(critic, weight=0.5, losses=critic_losses)
        )
        self.maps: Mapping[str, PixelMap] = {"attention": self.attention_map}

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables of both networks; only the shapes of `example` matter."""
        seen, generator_rng, critic_rng = example.observe(), *jax.random.split(rng)
        made = {"generator": self.generator.init(generator_rng, seen.image, seen.known)}
        if "critic" in self.networks:
            made["critic"] = self.critic.network.init(critic_rng, example.image, example.known, train=False)
        return fresh(made)

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole; nothing is drawn from `rng`."""
        del rng
        networks = {"params": variables.params["generator"]}
        stages = self.generator.apply(networks, observation.image, observation.known)
        return Prediction(stages[-1], {f"stage {i + 1}": image for i, image in enumerate(stages)})

    def attention_map(self, variables: Variables, observation: Observation, points: Array) -> Array:
        """Where pixels are taken from: points (row, column) [B,P,2] -> weights over the image [B,P,H,W].

        The attention knows cells of 8x8 pixels; what a cell gets is spread over its pixels.
        """
        networks = {"params": variables.params["generator"]}
        seen = (observation.image, observation.known)
        _, noted = self.generator.apply(networks, *seen, mutable=["intermediates"])
        parts = noted["intermediates"]["attentive_branch"]["attention"][0]
        weights = contextual_weights(*(shrink_nearest(parts[name], 2) for name in ("x", "hole")))  # [B,h,w,h,w]
        batch, height, width = weights.shape[:3]
        at = points // STRIDE  # [B,P,2]
        cells = (at[..., 0] * width + at[..., 1])[..., None, None]  # [B,P,1,1]
        rows = jnp.take_along_axis(weights.reshape(batch, height * width, height, width), cells, axis=1)  # [B,P,h,w]
        return enlarge(rows, STRIDE, rows=2) / STRIDE**2

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The first update: l1 of both stages, and what the critic says of the completion."""
        del carried, rng
        seen = example.observe()
        stages = self.generator.apply({"params": params["generator"]}, seen.image, seen.known)
        completion = complete(example.image, stages[-1], example.known)
        terms = {"l1": jnp.asarray(SIGNED * sum(l1(stage, example.image).mean() for stage in stages))}
        if "adversarial" in self.weights:
            terms["adversarial"] = self.critic.adversarial(frozen, stats, completion, example.known)
        return self.weigh(terms, {}, completion)

    def critic_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The second update: photographs against completions."""
        del frozen, rng
        return self.critic.loss(params, stats, example.image, carried, example.known)
