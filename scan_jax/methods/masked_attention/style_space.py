"""The generator's two halves for those who work on the styles in between: the search, and people who exchange them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from scan_jax.core.types import Array, Observation, Prediction
from scan_jax.methods.api import Variables


class StyleSpace:
    """`methods.api.Styles` of a generator with `encode` and `decode` (`models.sean.Sean`)."""

    def __init__(self, generator: Any, *, corrects: bool = False) -> None:
        """From the method's generator, and whether it has a prior to correct."""
        self._generator, self._corrects = generator, corrects

    def read(self, variables: Variables, observation: Observation) -> Array:
        """The styles of what is known, one a class: [B,L,S]; zero for a class that no pixel has."""
        seen = (observation.image, observation.known, observation.labels)
        return self._generator.apply(_networks(variables), *seen, method="encode")

    def paint(self, variables: Variables, observation: Observation, styles: Array, rng: Array) -> Prediction:
        """The image that `styles` [B,L,S] and the labels make; every sample's noise comes from the same `rng`.

        With a prior, that is the intermediate "painted", and the image is the prior's filling, corrected by it.
        """
        networks, keys = _networks(variables), jnp.broadcast_to(rng, styles.shape[:1])
        painted = self._generator.apply(networks, styles, observation.labels, keys, train=False, method="decode")
        if not self._corrects:
            return Prediction(painted, {"filled": painted})
        seen = (observation.image, observation.known, observation.labels)
        image = jnp.clip(self._generator.apply(networks, painted, *seen, method="correct"), 0.0, 1.0)
        return Prediction(image, {"painted": painted, "filled": image})


def _networks(variables: Variables) -> dict[str, Any]:
    return {"params": variables.params["generator"], **variables.stats["generator"]}
