"""LaMa: Resolution-robust Large Mask Inpainting with Fourier Convolutions (Suvorov et al. 2022), as its code trains it.

Its perceptual term looks through a segmentation network, which is not here: in its place is the term of other methods.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.bounds import Repeats, Size
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.features.api import FeatureSettings
from scan_jax.losses.adversarial import logistic_generator
from scan_jax.losses.pixel import l1
from scan_jax.methods.api import Aux, Trees, Variables
from scan_jax.methods.terms import AdversarialMethod, FeatureTerms, PatchCritic, critic_terms
from scan_jax.models.lama import STRIDE, LamaCritic, LamaGenerator


@dataclasses.dataclass(frozen=True)
class LamaWeights:
    """The terms' weights in the released code, but for the perceptual one; a term of weight 0 is not computed."""

    l1: float = 10.0  # of known pixels alone
    adversarial: float = 10.0
    feature_matching: float = 100.0
    perceptual: float = 0.1  # EdgeConnect's


@dataclasses.dataclass(frozen=True)
class LamaSettings:
    """A config's `method` section; the defaults are Big-LaMa's."""

    width: Size = 64  # channels at stride 1
    blocks: Repeats = 18  # residual blocks; LaMa-Fourier has 9
    critic_width: Size = 64  # channels of the critic's first level
    gradient_penalty: float = 0.001  # of the critic's slopes at photographs (R1)
    # "float32" or "bfloat16", of the generator's convolutions outside the Fourier transform; all else is float32.
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    loss: LamaWeights = LamaWeights()  # the terms' weights
    # The network behind the perceptual term.
    features: FeatureSettings = dataclasses.field(default_factory=FeatureSettings)


def build(section: Mapping[str, Any]) -> Lama:
    """The method for a config's `method` section; a UserError, too, for feature matching without a trained critic."""
    settings = bind(section, LamaSettings, "config.method")
    if settings.loss.feature_matching and not settings.loss.adversarial:
        raise UserError(
            "config.method.loss.feature_matching must be 0 where adversarial is: it looks through the critic"
        )
    return Lama(settings)


class Lama(AdversarialMethod):
    """The method: a generator and a patch critic, trained alternately on one forward pass of the generator a step."""

    stride = STRIDE

    def __init__(self, settings: LamaSettings) -> None:
        generator = LamaGenerator(settings.width, settings.blocks, jnp.dtype(settings.compute_dtype))
        super().__init__(settings, generator, PatchCritic(LamaCritic(settings.critic_width)))
        self.feature_terms = FeatureTerms(settings.features, self.weights)
        self.features = self.feature_terms.features

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole, by the running statistics."""
        del rng
        seen = (observation.image, observation.known)
        return Prediction(self.generator.apply(variables.of("generator"), *seen, train=False))

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The first update; all terms are of the raw prediction."""
        del carried, rng
        seen, networks = example.observe(), {"params": params["generator"], **stats["generator"]}
        prediction, changed = self.generator.apply(
            networks, seen.image, seen.known, train=True, mutable=list(stats["generator"])
        )
        terms = {
            "l1": l1(prediction, example.image) * example.known,  # [B,H,W,3]
            **self.feature_terms(frozen, prediction, example),
        }
        if "critic" in self.networks:
            fake, _ = self._criticize(frozen, stats["critic"], prediction)
            real, _ = self._criticize(frozen, stats["critic"], example.image)
            pairs = zip(fake[:-1], real[:-1])
            terms["adversarial"] = logistic_generator(fake[-1])
            terms["feature_matching"] = jnp.stack([jnp.mean(jnp.square(a - b)) for a, b in pairs])
        return self.weigh({name: jnp.mean(term) for name, term in terms.items()}, {"generator": changed}, prediction)

    def critic_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The second update: photographs, and of what the generator made the known patches too, against its hole."""
        del frozen, rng

        def of_real(image: Array) -> tuple[Array, Any]:
            answers, changed = self._criticize(params, stats["critic"], image)
            return answers[-1].sum(), (answers[-1], changed)

        slopes, (real, changed) = jax.grad(of_real, has_aux=True)(example.image)  # [B,H,W,3], [B,h,w,1]
        answers, changed = self._criticize(params, changed, carried)
        fake = answers[-1]
        hole = _nearest(1 - example.known, fake.shape[1:3])  # [B,h,w,1]
        of_fake = hole * logistic_generator(-fake) + (1 - hole) * logistic_generator(fake)
        penalty = jnp.mean(jnp.sum(jnp.square(slopes), axis=(1, 2, 3)))
        loss = jnp.mean(logistic_generator(real)) + jnp.mean(of_fake) + self.settings.gradient_penalty * penalty
        terms = critic_terms("critic", loss, real, fake) | {"critic_slope": penalty}
        return loss, Aux(terms, {"critic": changed})

    def _criticize(self, params: Trees, stats: Any, image: Array) -> tuple[tuple[Array, ...], Any]:
        """What the critic's layers answer to [B,H,W,3], by its own statistics, and the running ones after that."""
        variables = {"params": params["critic"], **stats}
        answers, changed = self.critic.network.apply(variables, image, train=True, mutable=["batch_stats"])
        return answers, changed


def _nearest(x: Array, shape: tuple[int, ...]) -> Array:
    """[B,H,W,C] -> [B,h,w,C] of (h, w), each the pixel at its place, rounded down."""
    rows, columns = (np.arange(small) * large // small for small, large in zip(shape, x.shape[1:3]))
    return x[:, rows[:, None], columns[None, :]]
