"""Where a photograph is looked at, what the network sees there, and how its answer is written into the hole.

A large photograph is looked at through windows around its hole, each as large as that part of the hole needs; a
network sees each window at its working size, padded, as a batch of one. A part that needs more than the finest windows
is filled from coarse to fine: all of it first, as the widest windows show it; then once more what lies near its border,
where narrower ones show more.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np

from scan_jax.core.types import Observation
from scan_jax.images import labels as label_map

BUCKET = 32  # padded sides are multiples of it, so that photographs of many sizes share few compilations
FINE = 8  # up to so many buckets a side is a multiple of one, up to twice as many of two, and so on
Strategy = Literal["auto", "whole", "windows"]
Correction = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # as `ways.meet_border`
STRATEGIES: tuple[Strategy, ...] = ("auto", "whole", "windows")
LARGE = 4  # times the network's size: up to this short side it sees the whole photograph, as it was trained
CONTEXT = 1.5  # a window's side, in thicknesses of the hole that it fills
FINER = 0.75  # a window narrower than that many short sides of the photograph shows more than all of it does
RIM = 1 / (2 * CONTEXT)  # so deep is filled again what was filled through wider windows, in sides
MOST = 64  # windows to a photograph; where more would be needed, less is filled again, then all are larger


@dataclasses.dataclass(frozen=True)
class NetworkInput:
    """One photograph at its working size."""

    image: np.ndarray  # float32 [h,w,3] in [0, 1], zero where not known
    known: np.ndarray  # bool [h,w]
    observation: Observation  # both, and the labels, padded to [1,h',w',.], on the host
    shape: tuple[int, int]  # (H, W) of the photograph

    @classmethod
    def of(
        cls,
        pixels: np.ndarray,
        known: np.ndarray,
        labels: np.ndarray | None,
        size: int,
        stride: int,
        square: bool = False,
    ) -> NetworkInput:
        """From uint8 [H,W,3], bool [H,W] and integers [H,W] or None.

        `size` is the short side of larger photographs; or with `square` the long one, and both sides are padded to it.
        """
        shape = working_shape(pixels.shape[:2], size, square=square)
        sides = [padded_side(size if square else side, stride) for side in shape]  # h', w'
        image, seen = shrink(pixels.astype(np.float32) / np.float32(255), known, shape)  # [h,w,3], [h,w]
        padded = pad(image, sides)[None]  # [1,h',w',3]
        padded_known = pad(seen[..., None].astype(np.float32), sides)[None]  # [1,h',w',1]
        classes = None if labels is None else pad(label_map.resize(labels, shape), sides)[None]  # [1,h',w']
        observation = Observation(padded * padded_known, padded_known, classes)  # type: ignore[arg-type]
        return cls(image, seen, observation, (pixels.shape[0], pixels.shape[1]))

    def enlarge(self, prediction: np.ndarray, *, keep_known: bool) -> np.ndarray:
        """A prediction at the photograph's size, float32 [H,W,3].

        Args:
          prediction: [h',w',3].
          keep_known: whether known pixels have their own colours while it is enlarged, so that the hole's border does
            not differ from them; otherwise they have the prediction's.
        """
        height, width = self.known.shape
        inside = prediction[:height, :width]  # [h,w,3]
        return enlarge(np.where(self.known[..., None], self.image, inside) if keep_known else inside, self.shape)

    def inward(self, points: np.ndarray) -> np.ndarray:
        """Pixels of the photograph, (row, column) [P,2], at the working size: int32 [P,2]."""
        scale = np.array(self.known.shape) / np.array(self.shape)  # [2]
        return np.floor((points + 0.5) * scale).astype(np.int32)

    def outward(self, maps: np.ndarray) -> np.ndarray:
        """Maps over the network's input [P,h',w'], each value where it belongs on the photograph: [P,H,W]."""
        height, width = self.known.shape
        rows, columns = self.inward(np.stack([np.arange(max(self.shape))] * 2, axis=1)).T
        inside = maps[:, :height, :width]  # [P,h,w]
        return inside[:, rows[: self.shape[0], None], columns[None, : self.shape[1]]]


def working_shape(shape: tuple[int, ...], size: int, *, square: bool = False) -> tuple[int, int]:
    """At which it is filled: its own, or where that is larger `size` as the short side; with `square` as the long."""
    scale = min(1.0, size / (max(shape) if square else min(shape)))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def shrink(image: np.ndarray, known: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Averages over areas, over the known pixels alone, so that nothing of the hole spills over its border.

    From float32 [H,W,3] and bool [H,W] to `shape`, neither side larger than before: float32 [h,w,3], zero where not
    known, and bool [h,w], known where at least half of the area is.
    """
    if image.shape[:2] != known.shape or known.dtype != bool:
        raise ValueError(f"[H,W,3] and bool [H,W] are needed, not {image.shape} and {known.shape} {known.dtype}")
    weight: np.ndarray = known.astype(np.float32)  # [H,W]
    image = image * weight[..., None]
    if shape != known.shape:
        size = (shape[1], shape[0])  # OpenCV's order
        weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)  # [h,w]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # [h,w,3]
    small_known = weight >= 0.5
    average = image / np.maximum(weight, 0.5)[..., None]
    return np.where(small_known[..., None], average, np.float32(0)), small_known


def enlarge(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bicubic: float32 [h,w,3] -> [H,W,3]."""
    if shape == image.shape[:2]:
        return image
    return cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def pad(array: np.ndarray, sides: Sequence[int]) -> np.ndarray:
    """Continues `array`, [h,w,...], by reflection at the bottom and right, to `sides` (h', w')."""
    amounts = [(0, sides[0] - array.shape[0]), (0, sides[1] - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, amounts, mode="reflect")


def padded_side(side: int, stride: int) -> int:
    """The next multiple of `stride` and BUCKET that is used; less than a quarter longer where it is long."""
    step = math.lcm(stride, BUCKET)
    while side > FINE * step:
        step *= 2
    return -(-side // step) * step


@dataclasses.dataclass(frozen=True)
class Window:
    """A rectangle of pixels."""

    top: int  # its first row
    left: int  # its first column
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Of an array [H,W,...]."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclasses.dataclass(frozen=True)
class Layer:
    """What is filled by windows of one size: parts of a hole, or of thicker parts what lies near their border."""

    hole: np.ndarray  # bool [H,W], what the windows fill together
    windows: tuple[Window, ...]  # each pixel of `hole` lies in at least one


def plan(hole: np.ndarray, size: int, strategy: Strategy) -> tuple[Layer, ...]:
    """What to look at to fill a photograph's hole; nothing of it depends on the photograph's pixels.

    Args:
      hole: bool [H,W] with a True in it.
      size: the network's, in pixels; windows have this side or 2, 4, 8... times as much, and are shrunk to it.
      strategy: "whole" is one window, "windows" several at the photograph's own scale where its hole is thin, "auto"
        the whole of a photograph with a short side of up to LARGE sizes and windows of larger ones.

    Returns:
      One layer for each side of windows, the widest first; a hole that needs all there is to see gets the whole
      photograph. A layer sees as known what those before it have filled, but for what it fills again.
    """
    if strategy == "whole" or (strategy == "auto" and min(hole.shape) <= LARGE * size):
        return (_whole(hole),)
    parts = _Parts.of(hole)
    least = again = size  # of windows; of those that fill something again, which is given up first
    while True:
        layers = tuple(_layers(parts, hole.shape, size, least, again))
        if sum(len(layer.windows) for layer in layers) <= MOST:
            return layers
        if again < max(hole.shape):
            again *= 2
        else:
            least *= 2


def _whole(hole: np.ndarray) -> Layer:
    return Layer(hole, (Window(0, 0, *hole.shape),))


class _Parts(NamedTuple):
    """The parts of a hole that hang together, within `area`."""

    area: Window
    number: np.ndarray  # int32 [h,w], of the part that a pixel belongs to; 0 is no hole
    depth: np.ndarray  # float32 [h,w], pixels to the nearest known one
    deepest: np.ndarray  # [count], of each part

    @classmethod
    def of(cls, hole: np.ndarray) -> _Parts:
        area = grown(bounds(hole), hole.shape)
        inside = hole[area.slices].astype(np.uint8)  # [h,w]
        count, found = cv2.connectedComponents(inside)
        number = found.astype(np.int32, copy=False)
        depth = np.minimum(cv2.distanceTransform(inside, cv2.DIST_L2, 3), max(hole.shape))  # infinite: nothing is known
        deepest = np.zeros(count)
        np.maximum.at(deepest, number.ravel(), depth.ravel())
        return cls(area, number, depth, deepest)


def _layers(parts: _Parts, shape: tuple[int, ...], size: int, least: int, again: int) -> Iterator[Layer]:
    """One for each side that is needed, from the widest; none below `least`, or `again` where all was filled before."""
    doublings = np.ceil(np.log2(np.maximum(1.0, CONTEXT * 2 * parts.deepest / size))).astype(int)
    sides = np.maximum(least, size * 2**doublings)  # [count]
    sides[0] = 0
    side = int(sides.max())
    while side >= least:
        layer = np.zeros(shape, bool)
        layer[parts.area.slices] = (sides == side)[parts.number]
        if again <= side < FINER * min(shape):
            layer[parts.area.slices] |= (sides > side)[parts.number] & (parts.depth <= RIM * side)
        if layer.any():
            whole = side >= max(shape)
            yield _whole(layer) if whole else Layer(layer, tuple(_cover(layer, side)))
        side //= 2


def _cover(hole: np.ndarray, side: int) -> Iterator[Window]:
    """Windows centred on what of the hole lies in each cell of half their side, so a quarter around it is context."""
    area, cell = bounds(hole), side // 2
    for top in range(area.top, area.top + area.height, cell):
        for left in range(area.left, area.left + area.width, cell):
            part = hole[top : min(top + cell, area.top + area.height), left : min(left + cell, area.left + area.width)]
            if part.any():
                found = bounds(part)
                centre = (top + found.top + found.height // 2, left + found.left + found.width // 2)
                yield _around(centre, side, hole.shape)


def _around(centre: tuple[int, int], side: int, shape: tuple[int, ...]) -> Window:
    """Moved, and where it must be made smaller, so that it lies inside."""
    height, width = (min(side, length) for length in shape)
    top, left = (
        min(max(0, middle - length // 2), whole - length)
        for middle, length, whole in zip(centre, (height, width), shape)
    )
    return Window(top, left, height, width)


def bounds(hole: np.ndarray) -> Window:
    """The smallest window that holds every True of bool [H,W]; there must be one."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    return Window(int(rows[0]), int(columns[0]), int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)


def grown(window: Window, shape: tuple[int, ...], rows: int = 1, columns: int = 1) -> Window:
    """By so many pixels above and below, and at the left and right, where there are as many."""
    top, left = max(0, window.top - rows), max(0, window.left - columns)
    bottom = min(shape[0], window.top + window.height + rows)
    right = min(shape[1], window.left + window.width + columns)
    return Window(top, left, bottom - top, right - left)


def weights(window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """How much a window's answer counts beside those of others: float32 [h,w], falling to its edges.

    An edge that is the border of the photograph, of `shape` (H, W), is no edge, for there is no window beyond.
    """
    rows = _fall(window.top, window.height, shape[0])
    columns = _fall(window.left, window.width, shape[1])
    return np.outer(rows, columns)


def _fall(start: int, length: int, whole: int) -> np.ndarray:
    """float32 [length] in (0, 1]."""
    place = np.arange(length, dtype=np.float32) + np.float32(0.5)
    before = place if start > 0 else np.full_like(place, length)
    after = length - place if start + length < whole else np.full_like(place, length)
    return np.minimum(np.minimum(before, after) / np.float32(length / 2), np.float32(1))


@dataclasses.dataclass(frozen=True)
class Tiles:
    """A photograph, and the windows through which a network sees it to fill its hole."""

    pixels: np.ndarray  # uint8 [H,W,3]
    hole: np.ndarray  # bool [H,W]
    labels: np.ndarray | None  # int32 [H,W] or None
    layers: tuple[Layer, ...]  # of windows; none where there is no hole
    # bool [H,W], what is neither looked at nor filled, such as transparent pixels; None where there is none
    unseen: np.ndarray | None = None
    square: bool = False  # whether each window is seen within a square of the network's size, so that all share a shape

    @property
    def unknown(self) -> np.ndarray:
        """What is not looked at, bool [H,W]: the hole, and what is `unseen`."""
        return self.hole if self.unseen is None else self.hole | self.unseen

    @classmethod
    def of(
        cls, pixels: np.ndarray, hole: np.ndarray, labels: np.ndarray | None, size: int, strategy: Strategy
    ) -> Tiles:
        """Planned for a network of `size`; one that takes labels reads all of the photograph, unless told otherwise."""
        if labels is not None and strategy == "auto":
            strategy = "whole"
        return cls(pixels, hole, labels, plan(hole, size, strategy) if hole.any() else ())

    @property
    def windows(self) -> list[Window]:
        """Layer by layer."""
        return [window for layer in self.layers for window in layer.windows]

    @property
    def strategy(self) -> str:
        """What is looked at, for people."""
        if not (windows := self.windows):
            return "nothing, there is no hole"
        if windows == [Window(0, 0, *self.hole.shape)]:
            return "the whole photograph"
        sides = sorted({max(window.height, window.width) for window in windows})
        return f"{len(windows)} window{'s' * (len(windows) > 1)} of {', '.join(map(str, sides))} pixels"

    def network_inputs(self, turn: int, filled: np.ndarray, size: int, stride: int) -> Iterator[NetworkInput]:
        """One for each window of a layer, in their order; none where there are fewer layers.

        Args:
          turn: the layer's number.
          filled: uint8 [H,W,3], the photograph as the layers before it have left it.
          size: the network's, in pixels.
          stride: the network's.
        """
        if turn < len(self.layers):
            hole = self._hole(turn)
            for window in self.layers[turn].windows:
                place = window.slices
                labels = None if self.labels is None else self.labels[place]
                yield NetworkInput.of(filled[place], ~hole[place], labels, size, stride, square=self.square)

    def write_hole(
        self, turn: int, filled: np.ndarray, predictions: Iterator[np.ndarray], correct: Correction | None = None
    ) -> None:
        """The composition: writes predictions into a layer's hole; nothing where there are fewer layers.

        All other pixels of `filled` stay as they are.

        Args:
          turn: the layer's number.
          filled: uint8 [H,W,3], as `network_inputs` was given it.
          predictions: float32 [h,w,3] of every window, in their order.
          correct: what is done to them before they are rounded.
        """
        if turn < len(self.layers):
            layer = self.layers[turn]
            area = grown(bounds(layer.hole), layer.hole.shape)
            prediction, covered = _mean(layer, area, predictions)  # [a,b,3], [a,b]
            hole = layer.hole[area.slices]  # [a,b]
            if correct:
                known = covered & ~self._hole(turn)[area.slices]
                prediction = correct(prediction, filled[area.slices], hole, known)
            filled[area.slices][hole] = to_bytes(prediction[hole])

    def _hole(self, turn: int) -> np.ndarray:
        """What a layer does not see, bool [H,W]: what it fills, and what no layer before it has filled."""
        hole = self.unknown.copy()
        for layer in self.layers[:turn]:
            hole &= ~layer.hole
        return hole | self.layers[turn].hole


def _mean(layer: Layer, area: Window, predictions: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A layer's predictions in `area`, float32 [a,b,3], and where there are any, bool [a,b].

    Where windows overlap, a mean that turns gradually from one to the next.
    """
    total = np.zeros((area.height, area.width, 3), np.float32)
    weight = np.zeros((area.height, area.width, 1), np.float32)
    for window in layer.windows:
        share = weights(window, layer.hole.shape)[..., None]  # [h,w,1]
        here, there = _overlap(area, window)
        total[here] += (next(predictions) * share)[there]
        weight[here] += share[there]
    covered = weight > 0
    return np.divide(total, weight, out=total, where=covered), covered[..., 0]


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
