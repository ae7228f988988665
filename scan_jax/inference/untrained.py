"""The calls of an `Inpainter` without a network: holes are filled by an equation or by OpenCV."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np

from scan_jax.core.types import Array
from scan_jax.inference.equations import WAYS
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.windows import Collage, Strategy, to_bytes
from scan_jax.methods.api import Styles, Turn, Variables

log = logging.getLogger(__name__)


class Untrained(Inpainter):
    """One of `equations.WAYS`: any size, at the photograph's own resolution.

    Label maps are not used; styles, attention and optimisations are refused as by a network that lacks them; seed,
    strategy and feather make no difference.
    """

    def __init__(self, name: str) -> None:
        """By its name in `WAYS`."""
        self._way = WAYS[name]
        about = {"method": name, "computed by": ", ".join(self._way.computed_by)}
        super().__init__(_NoNetwork(), Variables({}, {}), size=0, about=about)
        log.info("%s: no network (%s)", name, about["computed by"])

    def predict(self, image: np.ndarray, known: np.ndarray, labels: np.ndarray | None = None, seed: int = 0) -> Array:
        """The filled batch, rounded to 8 bits; arguments as of a network."""
        self._check_batch(image, known, labels)
        filled = [self._way(to_bytes(one), seen[..., 0] <= 0.5) for one, seen in zip(image, known)]  # [H,W,3] each
        return jnp.asarray(np.stack(filled), jnp.float32) / 255

    def look(
        self, pixels: np.ndarray, hole: np.ndarray, labels: np.ndarray | None = None, strategy: Strategy = "auto"
    ) -> Collage:
        """What is looked at, whatever the strategy."""
        return self._way.look(pixels, hole)

    def _fill(self, collages: Sequence[Collage], seed: int, batch_size: int, feather: float) -> list[np.ndarray]:
        return self._way.fill(collages, batch_size)


class _NoNetwork:
    """A method that has nothing which a network may have; what is asked of it is refused where every method's is."""

    networks: Mapping[str, Any] = {}
    turns: tuple[Turn, ...] = ()
    stride, num_labels = 1, 0
    refiners: Mapping[str, Any] = {}
    maps: Mapping[str, Any] = {}
    styles: Styles | None = None

    def init(self, *_: Any) -> NoReturn:
        """There is nothing to begin with."""
        raise NotImplementedError("an equation has no variables")

    load_frozen = frozen_shapes = predict = init
