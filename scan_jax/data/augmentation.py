"""What chance does to a photograph before training sees it: a part of it is cropped, and it may be mirrored."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from scan_jax.core.sections import AugmentationSettings
from scan_jax.data.api import Photo
from scan_jax.images import labels

DEFAULT = AugmentationSettings()


class Box(NamedTuple):
    """A rectangle of a photograph, in pixels."""

    top: int
    left: int
    height: int
    width: int


def draw_box(rng: np.random.Generator, shape: tuple[int, ...], settings: AugmentationSettings, size: int) -> Box:
    """What to show of a photograph of `shape` (height, width, ...) as a square of `size`.

    Rectangles are as torchvision's RandomResizedCrop has them: up to ten boxes are drawn until one fits, else the
    largest centred one with an aspect within the limits is taken.
    """
    height, width = shape[:2]
    short = min(height, width)
    if settings.crop == "none":
        return Box((height - short) // 2, (width - short) // 2, short, short)
    if settings.crop == "random_square":
        least, most = (max(share * short, min(size, short)) for share in settings.share)
        side = round(math.exp(rng.uniform(math.log(least), math.log(most))))
        return Box(int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1)), side, side)
    low, high = settings.aspect
    for _ in range(10):
        area = height * width * rng.uniform(*settings.scale)
        aspect = math.exp(rng.uniform(math.log(low), math.log(high)))
        h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < h <= height and 0 < w <= width:
            return Box(int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w)
    aspect = min(max(width / height, low), high)
    h, w = min(height, max(1, round(width / aspect))), min(width, max(1, round(height * aspect)))
    return Box((height - h) // 2, (width - w) // 2, h, w)


def crop(photo: Photo, box: Box, size: int) -> dict[str, np.ndarray]:
    """`box` of the photograph as a square of `size`: the image filtered, the labels by nearest neighbour.

    From "image" uint8 [H,W,3] and perhaps "labels" uint8 [H,W] to "image" uint8 [S,S,3] and "labels" uint8 [S,S].
    """
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    cropped = {"image": _resize(photo["image"][rows, columns], size)}  # [S,S,3]
    if "labels" in photo:
        cropped["labels"] = labels.resize(photo["labels"][rows, columns], (size, size))  # [S,S]
    return cropped


def flip(photo: Photo, flip_pairs: tuple[tuple[int, int], ...]) -> dict[str, np.ndarray]:
    """`photo`, "image" uint8 [S,S,3] and perhaps "labels" uint8 [S,S], mirrored; `flip_pairs` change places."""
    flipped = {name: array[:, ::-1] for name, array in photo.items()}
    if "labels" in flipped:
        swap = np.arange(256, dtype=np.uint8)  # [256], old label -> new label
        for left, right in flip_pairs:
            swap[left], swap[right] = right, left
        flipped["labels"] = swap[flipped["labels"]]
    return flipped


def _resize(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [h,w,3] -> uint8 [S,S,3]: an axis that shrinks is averaged, one that grows is bicubic, each by itself."""
    height, width = min(image.shape[0], size), min(image.shape[1], size)
    if image.shape[:2] != (height, width):  # OpenCV averages no axis where the other one grows
        image = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA)
    if (height, width) != (size, size):
        image = cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=cv2.INTER_CUBIC)
    return image
