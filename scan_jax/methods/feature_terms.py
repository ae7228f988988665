"""The two terms that see an image as a frozen network does: SCAN section 3.3 and EdgeConnect's equations before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from scan_jax.core.types import Array, Example
from scan_jax.features.api import FeatureSettings, LossFeatures
from scan_jax.losses.perceptual import PERCEPTUAL_LAYERS, perceptual_loss, select
from scan_jax.losses.style import STYLE_LAYERS, style_loss
from scan_jax.methods.api import Trees

LAYERS = {"perceptual": PERCEPTUAL_LAYERS, "style": STYLE_LAYERS}
LOSSES = {"perceptual": perceptual_loss, "style": style_loss}


class FeatureTerms:
    """The perceptual term on the whole prediction and the style term on its hole; those that have a weight.

    Attributes:
      features: the network, or None where neither term has a weight.
    """

    def __init__(self, settings: FeatureSettings, weights: Mapping[str, float], dtype: Any = jnp.float32) -> None:
        """Raises UserError for a network that no term can look through.

        Args:
          settings: which network.
          weights: by term; those of other terms do not matter.
          dtype: of the network's products.
        """
        self._layers = {term: LAYERS[term].get(settings.name, ()) for term in LAYERS if weights.get(term)}
        together = tuple(dict.fromkeys(layer for layers in self._layers.values() for layer in layers))
        self.features = LossFeatures(settings, together, dtype) if self._layers else None

    def __call__(self, frozen: Trees, prediction: Array, example: Example) -> dict[str, Array]:
        """The terms by name, for a raw prediction [B,H,W,3]."""
        regions = {"perceptual": jnp.ones_like(example.known), "style": 1 - example.known}
        terms = {}
        for term in self._layers:
            found, truth = (self._look(frozen, image * regions[term], term) for image in (prediction, example.image))
            terms[term] = LOSSES[term](found, truth)
        return terms

    def _look(self, frozen: Trees, image: Array, term: str) -> dict[str, Array]:
        """The activations that a term compares, by layer."""
        assert self.features is not None  # for there is a term
        return select(self.features(frozen["features"], image), self._layers[term])
