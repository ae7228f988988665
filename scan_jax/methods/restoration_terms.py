"""What partial convolution and RFR train on: terms of pixels, of smoothness, and of what a frozen network sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp

from scan_jax.core.types import Array, Example
from scan_jax.features.api import FeatureSettings, LossFeatures
from scan_jax.losses.restoration import FEATURE_TERMS, LAYERS, feature_terms, pixel_terms, total_variation
from scan_jax.methods.api import Trees

View = Callable[[Array], Array]  # an image, as something looks at it


class RestorationTerms:
    """The five terms of section 3.3 of both papers; those that have a weight.

    Attributes:
      features: the network, or None where neither term that reads it has a weight.
    """

    def __init__(
        self, settings: FeatureSettings, weights: Mapping[str, float], *, pixels: View, features: View
    ) -> None:
        """Raises UserError for a network that no term can look through.

        Args:
          settings: which network.
          weights: by term.
          pixels: images as differences of pixels are taken of.
          features: images as the network is shown them.
        """
        self._weights, self._pixels, self._show = weights, pixels, features
        layers: Any = LAYERS.get(settings.name, ())
        self.features = LossFeatures(settings, layers) if weights.keys() & set(FEATURE_TERMS) else None

    def __call__(
        self, frozen: Trees, prediction: Array, completion: Array, smooth: Array, example: Example
    ) -> dict[str, Array]:
        """The terms by name, scalars.

        Args:
          frozen: the method's.
          prediction, completion: [B,H,W,3].
          smooth: [B,H,W,3], what is to be smooth.
          example: the truth.
        """
        found, truth = self._pixels(prediction), self._pixels(example.image)
        look = partial(self._look, frozen)
        terms = {
            **pixel_terms(found, truth, example.known),
            **feature_terms(look, prediction, completion, example.image, self._weights),
            "total_variation": total_variation(smooth),
        }
        return {name: jnp.mean(term) for name, term in terms.items() if name in self._weights}

    def _look(self, frozen: Trees, image: Array) -> Mapping[str, Array]:
        """The activations of an image by layer."""
        assert self.features is not None  # wanted by a term
        return self.features(frozen["features"], self._show(image))
