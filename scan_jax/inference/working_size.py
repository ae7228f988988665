"""A photograph of any size, brought to a size that the network knows, and back; all without a look into the hole."""

from __future__ import annotations

import math

import cv2
import numpy as np

BUCKET = 32  # padded sides are multiples of it, so that photographs of many sizes share few compilations
FINE = 8  # up to so many buckets a side is a multiple of one, up to twice as many of two, and so on


def working_shape(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Height and width at which a photograph is filled: its own, or with `size` as the short side if it is larger."""
    height, width = shape
    scale = min(1.0, size / min(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink(image: np.ndarray, known: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Averages over areas, over the known pixels alone, so that nothing of the hole spills over its border.

    Args:
      image: float32 [H,W,3].
      known: bool [H,W].
      shape: height and width afterwards, neither larger than before.

    Returns:
      float32 [h,w,3], zero where not known, and bool [h,w]: known where at least half of the area is.
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


def pad(array: np.ndarray, stride: int) -> np.ndarray:
    """Continues `array`, [h,w,...], by reflection at the bottom and right, to a side that others share."""
    height, width = (padded_side(side, stride) for side in array.shape[:2])
    amounts = [(0, height - array.shape[0]), (0, width - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, amounts, mode="reflect")


def padded_side(side: int, stride: int) -> int:
    """The next multiple of `stride` and BUCKET that is used; less than a quarter longer where it is long."""
    step = math.lcm(stride, BUCKET)
    while side > FINE * step:
        step *= 2
    return -(-side // step) * step
