"""Fills what is asked for as the flags of a command say: strategy, seam, style search, styles of another photograph."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import first_line
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import Request
from scan_jax.inference.restyle import interpolate, pick_styles
from scan_jax.inference.windows import Strategy


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wishes:
    """How to fill.

    Attributes:
      seed: of what the method draws at random.
      strategy: as `Inpainter` takes it.
      feather: pixels, likewise.
      style_steps: updates of the style search; 0 does without.
      style_from: a photograph to take styles from, or None.
      style_labels: its label map.
      style_parts: whose styles are taken; all without any.
      style_amount: 0 is the photograph's own style, 1 the other's.
      batch_size: photographs that the network sees at a time.
    """

    seed: int = 0
    strategy: Strategy = "auto"
    feather: float = 0
    style_steps: int = 0
    style_from: Path | None = None
    style_labels: Path | None = None
    style_parts: Sequence[str] = ()
    style_amount: float = 1.0
    batch_size: int = 1

    def check(self) -> None:
        """Refuses wishes that contradict each other.

        Raises:
          UserError: it names the flags.
        """
        if bool(self.style_from) != bool(self.style_labels):
            raise UserError("--style_from and --style_labels go together: a photograph and its label map")
        if self.batch_size < 1:
            raise UserError(f"--batch_size must be at least 1, not {self.batch_size}")
        if self.batch_size > 1 and (self.style_steps or self.style_from):
            raise UserError("styles are searched and taken for one photograph at a time; leave out --batch_size")
        if not 0 <= self.feather < float("inf"):
            raise UserError(f"--feather is a number of pixels, 0 or more, not {self.feather}")


@contextlib.contextmanager
def _device_errors() -> Iterator[None]:
    """What a device says that has run out of memory, in one line."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        cure = "crop the photograph, or fill it with --strategy=whole and --batch_size=1"
        raise UserError(f"the device could not fill it ({first_line(error)}); {cure}") from error


class Filler:
    """An Inpainter that does as it is told."""

    def __init__(self, inpainter: Inpainter, wishes: Wishes) -> None:
        """Reads the styles of the other photograph, where there is one.

        Raises:
          UserError: it cannot be read, or the method does not paint from styles.
        """
        self._inpainter, self._wishes = inpainter, wishes
        self._reference: Mapping[str, np.ndarray] | None = None
        if wishes.style_from:
            found = inpainter.styles(wishes.style_from, wishes.style_labels)
            self._reference = pick_styles(found, list(wishes.style_parts))

    def one(self, request: Request) -> np.ndarray:
        """The filled photograph, uint8 [H,W,3].

        Raises:
          UserError: what cannot be filled, or does not fit into the device's memory.
        """
        wishes, pixels, hole = self._wishes, request.photograph.pixels, request.hole  # [H,W,3], [H,W]
        labels = request.labels_for(self._inpainter.num_labels)  # [H,W]
        more: dict[str, Any] = {"strategy": wishes.strategy, "feather": wishes.feather, "seed": wishes.seed}
        if wishes.style_steps:
            more |= {"refine": "style_search", "steps": wishes.style_steps}
        with _device_errors():
            if self._reference is not None:
                own = self._inpainter.styles(pixels, labels, hole)
                more["styles"] = interpolate(own, self._reference, wishes.style_amount)
            return self._inpainter(pixels, hole, labels, **more)

    def several(self, requests: Sequence[Request]) -> list[np.ndarray]:
        """As `one`, for up to `batch_size` photographs at once; none depends on the others.

        Raises:
          UserError: one of them cannot be filled.
        """
        if len(requests) == 1 and self._wishes.batch_size == 1:
            return [self.one(requests[0])]
        wishes = self._wishes
        maps = [request.labels_for(self._inpainter.num_labels) for request in requests]
        labels = [each for each in maps if each is not None]
        with _device_errors():
            filled = self._inpainter.batch(
                [request.photograph.pixels for request in requests],
                [request.hole for request in requests],
                labels or None,
                seed=wishes.seed,
                batch_size=wishes.batch_size,
                strategy=wishes.strategy,
                feather=wishes.feather,
            )
            return list(filled)

    def strategy(self, request: Request) -> str:
        """What the network looks at to fill it, such as "the whole photograph"."""
        if not request.hole.any():
            return "nothing, there is no hole"
        pixels, labels = request.photograph.pixels, request.labels
        return self._inpainter.look(pixels, request.hole, labels, self._wishes.strategy).strategy
