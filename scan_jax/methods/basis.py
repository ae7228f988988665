"""What most methods share: no labels, nothing to optimise at test time, one frozen network behind losses or none."""

from __future__ import annotations

from collections.abc import Mapping

from scan_jax.features.api import LossFeatures
from scan_jax.methods.api import PixelMap, Refiner, Styles, Trees


class Basis:
    """The part of a `Method` that does not differ; a method overrides what it has besides.

    Attributes:
      features: the frozen network that losses look through, or None.
    """

    num_labels: int = 0
    refiners: Mapping[str, Refiner] = {}
    maps: Mapping[str, PixelMap] = {}
    styles: Styles | None = None
    features: LossFeatures | None = None

    def load_frozen(self) -> Trees:
        """The feature network's weights, where a loss reads it.

        Raises:
          UserError: they are missing; it names the file and the command that imports it.
        """
        return {"features": self.features.load()} if self.features else {}

    def frozen_shapes(self) -> Trees:
        """What `load_frozen` returns, without its memory; no weights are needed."""
        return {"features": self.features.shapes()} if self.features else {}
