"""SCAN: Spatial and Channel Attention Normalization for Image Inpainting (Chen et al. 2021), section 3."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from scan_jax.features.api import FeatureSettings, LossFeatures
from scan_jax.losses.adversarial import apart, critic_accuracy, logistic_critic, logistic_generator, one_batch
from scan_jax.losses.perceptual import PERCEPTUAL_LAYERS, perceptual_loss, select
from scan_jax.losses.pixel import l1
from scan_jax.losses.style import STYLE_LAYERS, style_loss
from scan_jax.losses.weighting import combine, hole_normalised
from scan_jax.methods.api import Aux, PixelMap, Refiner, Styles, Trees, Turn, Variables
from scan_jax.models.patch_discriminator import PatchDiscriminator
from scan_jax.models.scan import STRIDE, ScanGenerator
from scan_jax.ops.image import complete
from scan_jax.settings import bind
from scan_jax.types import Array, Example, Observation, Prediction

FEATURE_TERMS = ("perceptual", "style")
TERMS = ("orthogonality", "l1", *FEATURE_TERMS, "adversarial")


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """The weights of section 3.3; a term of weight 0 is not computed."""

    orthogonality: float = 10.0
    l1: float = 1.0
    perceptual: float = 0.1
    style: float = 250.0
    adversarial: float = 0.1


@dataclasses.dataclass(frozen=True)
class ScanSettings:
    """A config's `method` section; the defaults are the paper's setting.

    Attributes:
      width: channels at stride 1.
      critic_width: channels of the critic's first level.
      regions: n of SAN and CAN.
      stages: 1 or 2.
      blocks: dilated residual blocks in each encoder.
      attention: which of "spatial" (SAN) and "channel" (CAN) the decoder has.
      statistics: "weighted" or "product", the reading of eq. (3).
      kernels: "unit" or "raw" sampled patches.
      scale: "mean" or "sum", of CAN's correlations.
      sigma: of the blur under the high-frequency residual, in pixels.
      orthogonality_scale: lambda_so and lambda_co of eq. (1).
      compute_dtype: "float32" or "bfloat16", of convolutions and products; all else is float32.
      loss: the terms' weights.
      features: the network behind the perceptual and style terms.
    """

    width: int = 64
    critic_width: int = 64
    regions: int = 16
    stages: Literal[1, 2] = 2
    blocks: int = 4
    attention: tuple[Literal["spatial", "channel"], ...] = ("spatial", "channel")
    statistics: Literal["weighted", "product"] = "weighted"
    kernels: Literal["unit", "raw"] = "unit"
    scale: Literal["mean", "sum"] = "mean"
    sigma: float = 2.0
    orthogonality_scale: float = 1e-3
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    loss: LossSettings = LossSettings()
    features: FeatureSettings = dataclasses.field(default_factory=FeatureSettings)


def build(section: Mapping[str, Any]) -> Scan:
    """The method for a config's `method` section.

    Raises:
      UserError: an unknown key or choice.
    """
    return Scan(bind(section, ScanSettings, "config.method"))


class Scan:
    """The method: a generator and a patch critic, trained in turns on one forward pass of the generator a step."""

    stride = STRIDE
    num_labels = 0
    refiners: Mapping[str, Refiner] = {}
    maps: Mapping[str, PixelMap] = {}
    styles: Styles | None = None

    def __init__(self, settings: ScanSettings) -> None:
        self.settings = settings
        self.weights = {term: weight for term, weight in dataclasses.asdict(settings.loss).items() if weight}
        dtype = jnp.dtype(settings.compute_dtype)
        self.generator: Any = ScanGenerator(
            width=settings.width,
            regions=settings.regions,
            stages=settings.stages,
            blocks=settings.blocks,
            attention=settings.attention,
            statistics=settings.statistics,
            kernels=settings.kernels,
            scale=settings.scale,
            sigma=settings.sigma,
            dtype=dtype,
        )
        self.critic: Any = PatchDiscriminator(settings.critic_width, dtype=dtype)
        self.networks: dict[str, Any] = {"generator": self.generator}
        self.turns: tuple[Turn, ...] = (Turn("generator", ("generator",), self.generator_loss),)
        if "adversarial" in self.weights:
            self.networks["critic"] = self.critic
            self.turns += (Turn("critic", ("critic",), self.critic_loss),)
        name = settings.features.name if self.weights.keys() & set(FEATURE_TERMS) else ""
        self.feature_layers = {
            term: table[name]
            for term, table in (("perceptual", PERCEPTUAL_LAYERS), ("style", STYLE_LAYERS))
            if term in self.weights and name in table
        }
        self.features: Any = LossFeatures(settings.features, self._all_feature_layers(), dtype) if name else None

    def _all_feature_layers(self) -> tuple[str, ...]:
        """The layers of the feature network that any loss reads."""
        return tuple(dict.fromkeys(layer for layers in self.feature_layers.values() for layer in layers))

    def load_frozen(self) -> Trees:
        """The feature network's weights, where a loss reads it.

        Raises:
          UserError: they are missing; it names the file and the command that imports it.
        """
        return {"features": self.features.load()} if self.features else {}

    def frozen_shapes(self) -> Trees:
        """What `load_frozen` returns, without its memory; no weights are needed."""
        return {"features": self.features.shapes()} if self.features else {}

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables of both networks; only the shapes of `example` matter."""
        seen, generator_rng, critic_rng = example.observe(), *jax.random.split(rng)
        keys = jax.random.split(rng, seen.image.shape[0])
        generator = self.generator.init(generator_rng, seen.image, seen.known, keys)
        params: dict[str, Any] = {"generator": generator["params"]}
        stats: dict[str, Any] = {"generator": {}}
        if "critic" in self.networks:
            critic = self.critic.init(critic_rng, example.image, train=False)
            params["critic"], stats["critic"] = critic["params"], {"spectral": critic["spectral"]}
        return Variables(params, stats)

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole; every sample draws its patches from the same `rng`, wherever it stands in the batch."""
        keys = jnp.broadcast_to(rng, (observation.image.shape[0],))
        parameters = {"params": variables.params["generator"]}
        stages = self.generator.apply(parameters, observation.image, observation.known, keys)
        return Prediction(stages[-1], {f"stage {i + 1}": image for i, image in enumerate(stages)})

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The first turn: the joint loss of section 3.3 on the prediction of every stage."""
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
            **self._feature_terms(frozen, stages[-1], example),
        }
        if "adversarial" in self.weights:
            variables = {"params": frozen["critic"], **stats["critic"]}
            logits = self.critic.apply(variables, completion, train=False)  # [B,H/8-2,W/8-2,1]
            terms["adversarial"] = logistic_generator(logits).mean()
        terms = {name: jnp.asarray(term) for name, term in terms.items() if name in self.weights}
        return combine(terms, self.weights), Aux(terms, {}, jax.lax.stop_gradient(completion))

    def _feature_terms(self, frozen: Trees, prediction: Array, example: Example) -> dict[str, Array]:
        """The perceptual term on the whole prediction and the style term on its hole."""
        if self.features is None:
            return {}
        whole, hole = jnp.ones_like(example.known), 1 - example.known
        terms = {}
        for term, loss, region in (("perceptual", perceptual_loss, whole), ("style", style_loss, hole)):
            if term in self.weights:
                found, truth = (
                    self._activations(frozen, image * region, term) for image in (prediction, example.image)
                )
                terms[term] = loss(found, truth)
        return terms

    def _activations(self, frozen: Trees, image: Array, term: str) -> dict[str, Array]:
        """The activations that a term compares, by layer."""
        return select(self.features(frozen["features"], image), self.feature_layers[term])

    def critic_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The second turn: real against completed images, in one batch, so that one power iteration serves both."""
        del frozen, rng
        both = one_batch(example.image, carried)  # [2B,H,W,3]
        variables = {"params": params["critic"], **stats["critic"]}
        logits, changed = self.critic.apply(variables, both, train=True, mutable=["spectral"])
        real, fake = apart(logits)  # [B,H/8-2,W/8-2,1] each
        loss = logistic_critic(real, fake).mean()
        terms = {"critic": loss, "critic_real": real.mean(), "critic_fake": fake.mean()}
        terms["critic_accuracy"] = critic_accuracy(real, fake)
        return loss, Aux(terms, {"critic": changed})
