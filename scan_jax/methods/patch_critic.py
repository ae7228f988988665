"""The patch critic that several methods train, and what it tells their generators: the logistic game."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax

from scan_jax.core.types import Array
from scan_jax.losses.adversarial import apart, critic_accuracy, logistic_critic, logistic_generator, one_batch
from scan_jax.methods.api import Aux, Tree, Trees
from scan_jax.models.patch_discriminator import PatchDiscriminator


@dataclasses.dataclass(frozen=True)
class PatchCritic:
    """A network that tells photographs from completions, patch by patch.

    Attributes:
      network: without its variables.
      name: among the method's networks, and of its terms in the log.
      weight: of its own loss; EdgeConnect takes the mean of both parts, SCAN their sum.
    """

    network: PatchDiscriminator
    name: str = "critic"
    weight: float = 1.0

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
        """Its own turn: real against fake images in one batch, so that one power iteration serves both.

        Args:
          params, stats: the method's.
          real, fake: [B,H,W,C].
          carried: for the turn after this one.
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
