"""Section III-C: at test time the styles are optimised so that the known pixels come out as they are, eq. (8)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from scan_jax.core.types import Array, Observation, Prediction
from scan_jax.methods.api import Progress, Refined, Trees, Variables
from scan_jax.methods.masked_attention.settings import Settings

# Squared differences in [-1, 1] from those in [0, 1]. Eq. (2) has absolute ones; the released code squares them.
SIGNED_SQUARE = 4.0
Distance = Callable[[Trees, Array, Array], Array]  # feature weights, two images [B,H,W,3] -> [B]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Search:
    """Where the search stands; every leaf has the batch in front, and no image sees another."""

    styles: Array  # [B,L,S], where the next gradient is taken
    moments: Any  # Adam's
    best: Array  # [B,L,S], the styles of the lowest objective so far
    lowest: Array  # [B]
    waited: Array  # [B] updates since the objective last fell
    value: Array  # [B], the objective of the newest update


class StyleSearch:
    """A refiner: pure, may be jitted and sharded over the batch."""

    def __init__(self, space: StyleSpace, distance: Distance, settings: Settings) -> None:
        """From the method's styles and feature distance."""
        self._space, self._distance, self._settings = space, distance, settings.style_search
        # Adam acts on every element alone, so a batch of images is as many searches.
        self._adam = optax.adam(self._settings.learning_rate, 0.9, 0.999)

    def __call__(
        self,
        variables: Variables,
        frozen: Trees,
        observation: Observation,
        rng: Array,
        *,
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> Refined:
        """Fills the hole with the styles that the search found best; see `Refiner`.

        The generator's noise is the same in every update. Updates are skipped once no image of the batch improves.
        """
        styles = self._space.read(variables, observation)  # [B,L,S]

        def paint(styles: Array) -> Prediction:
            return self._space.paint(variables, observation, styles, rng)

        def objective(styles: Array) -> Array:
            found = paint(styles)
            return self._objective(frozen, found.intermediates.get("painted", found.image), observation)

        def update(search: _Search, index: Array) -> tuple[_Search, Array]:
            search = lax.cond(self._active(search).any(), lambda s: self._update(s, objective), lambda s: s, search)
            if progress is not None:
                jax.debug.callback(progress, index)
            return search, search.value

        updates = jnp.arange(self._settings.steps if steps is None else steps)
        search, trace = lax.scan(update, self._start(styles), updates)  # trace [T,B]
        last = objective(search.styles)  # [B]
        best = jnp.where((last < search.lowest)[:, None, None], search.styles, search.best)
        before, after = paint(styles).image, paint(best).image
        found = Prediction(after, {"before": before, "style search": after})
        return Refined(found, jnp.concatenate([trace, last[None]]))

    def _objective(self, frozen: Trees, image: Array, observation: Observation) -> Array:
        """Eq. (8) for each image: [B]."""
        seen = image * observation.known  # [B,H,W,3]
        square = jnp.mean(jnp.square(seen - observation.image), axis=(1, 2, 3))  # [B]
        total = self._settings.pixel * SIGNED_SQUARE * square
        if self._settings.perceptual:
            total = total + self._settings.perceptual * self._distance(frozen, seen, observation.image)
        return total

    def _start(self, styles: Array) -> _Search:
        """Before the first update, from the encoder's styles [B,L,S]."""
        unknown = jnp.full(styles.shape[:1], jnp.inf)  # [B]
        waited = jnp.zeros(styles.shape[:1], jnp.int32)  # [B]
        return _Search(styles, self._adam.init(styles), styles, lowest=unknown, waited=waited, value=unknown)

    def _active(self, search: _Search) -> Array:
        """[B]: the images whose objective still falls."""
        return search.waited < self._settings.patience

    def _update(self, search: _Search, objective: Callable[[Array], Array]) -> _Search:
        """One step of Adam for the images that are active, and the objective before it."""

        def total(styles: Array) -> tuple[Array, Array]:
            values = objective(styles)  # [B]
            return jnp.sum(values), values

        (_, value), gradient = jax.value_and_grad(total, has_aux=True)(search.styles)
        falls = value < search.lowest * (1 - self._settings.tolerance)  # [B]; the first value is below infinity
        better = value < search.lowest
        step, moments = self._adam.update(gradient, search.moments)
        seen = dataclasses.replace(
            search,
            moments=moments,
            best=jnp.where(better[:, None, None], search.styles, search.best),
            lowest=jnp.where(better, value, search.lowest),
            waited=jnp.where(falls, 0, search.waited + 1),
            value=value,
        )
        active = self._active(seen)[:, None, None]  # [B,1,1]
        return dataclasses.replace(seen, styles=jnp.where(active, seen.styles + step, seen.styles))


class StyleSpace:
    """`methods.api.Styles` of a generator with `encode` and `decode` (`models.sean.Sean`)."""

    def __init__(self, generator: Any, *, corrects: bool = False) -> None:
        """From the method's generator, and whether it has a prior to correct."""
        self._generator, self._corrects = generator, corrects

    def read(self, variables: Variables, observation: Observation) -> Array:
        """The styles of what is known, one a class: [B,L,S]; zero for a class that no pixel has."""
        seen = (observation.image, observation.known, observation.labels)
        return self._generator.apply(variables.of("generator"), *seen, method="encode")

    def paint(self, variables: Variables, observation: Observation, styles: Array, rng: Array) -> Prediction:
        """The image that `styles` [B,L,S] and the labels make; every sample's noise comes from the same `rng`.

        With a prior, that is the intermediate "painted", and the image is the prior's filling, corrected by it.
        """
        networks, keys = variables.of("generator"), jnp.broadcast_to(rng, styles.shape[:1])
        painted = self._generator.apply(networks, styles, observation.labels, keys, train=False, method="decode")
        if not self._corrects:
            return Prediction(painted, {"filled": painted})
        seen = (observation.image, observation.known, observation.labels)
        image = jnp.clip(self._generator.apply(networks, painted, *seen, method="correct"), 0.0, 1.0)
        return Prediction(image, {"painted": painted, "filled": image})
