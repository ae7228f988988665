"""One photograph and what is seen of it: cut into canvases, and filled by what comes back of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from scan_jax.inference import windows
from scan_jax.inference.canvas import Canvas
from scan_jax.inference.windows import Layer, Strategy, Window


@dataclasses.dataclass(frozen=True)
class Collage:
    """A photograph whose hole is to be filled.

    Attributes:
      pixels: uint8 [H,W,3].
      hole: bool [H,W].
      labels: int32 [H,W] or None.
      layers: where it is looked at; none where there is no hole.
    """

    pixels: np.ndarray
    hole: np.ndarray
    labels: np.ndarray | None
    layers: tuple[Layer, ...]

    @classmethod
    def of(
        cls, pixels: np.ndarray, hole: np.ndarray, labels: np.ndarray | None, size: int, strategy: Strategy
    ) -> Collage:
        """Planned for a network of `size`; one that takes labels reads all of the photograph, unless told otherwise."""
        if labels is not None and strategy == "auto":
            strategy = "whole"
        return cls(pixels, hole, labels, windows.plan(hole, size, strategy) if hole.any() else ())

    @property
    def strategy(self) -> str:
        """For people."""
        return windows.describe(self.layers, self.hole.shape)

    def canvases(self, size: int, stride: int) -> Iterator[Canvas]:
        """What the network sees, layer by layer, window by window."""
        for layer in self.layers:
            for window in layer.windows:
                place = window.slices
                labels = None if self.labels is None else self.labels[place]
                yield Canvas.of(self.pixels[place], ~self.hole[place], labels, size, stride)

    def fill(self, completions: Iterator[np.ndarray]) -> np.ndarray:
        """The photograph with its hole filled, uint8 [H,W,3].

        Args:
          completions: float32 [h,w,3] of every window, in the order of `canvases`.
        """
        filled = self.pixels.copy()
        for layer in self.layers:
            _blend(filled, layer, completions)
        return filled


def _blend(filled: np.ndarray, layer: Layer, completions: Iterator[np.ndarray]) -> None:
    """Writes a layer's hole into `filled`; where windows overlap, a mean that turns gradually from one to the next."""
    area = windows.bounds(layer.hole)
    total = np.zeros((area.height, area.width, 3), np.float32)
    weight = np.zeros((area.height, area.width, 1), np.float32)
    for window in layer.windows:
        share = windows.weights(window, layer.hole.shape)[..., None]  # [h,w,1]
        here, there = _overlap(area, window)
        total[here] += (next(completions) * share)[there]
        weight[here] += share[there]
    hole = layer.hole[area.slices]  # [a,b]
    filled[area.slices][hole] = to_bytes(total[hole] / weight[hole])  # [n,3]


def _overlap(area: Window, window: Window) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The pixels that both have, as slices of each."""
    top, left = max(area.top, window.top), max(area.left, window.left)
    bottom = max(top, min(area.top + area.height, window.top + window.height))
    right = max(left, min(area.left + area.width, window.left + window.width))
    here, there = (
        (slice(top - each.top, bottom - each.top), slice(left - each.left, right - each.left))
        for each in (area, window)
    )
    return here, there


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Float in [0, 1] -> uint8, rounded."""
    return np.round(np.float32(255) * np.clip(image, 0, 1)).astype(np.uint8)
