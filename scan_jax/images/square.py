"""Photographs and label maps to the squares that are trained on."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from scan_jax.images import labels as label_map

Crop = Literal["centre", "stretch"]  # the largest centred square, or all of the photograph


def square(image: np.ndarray, size: int, crop: Crop = "centre") -> np.ndarray:
    """uint8 [H,W,3] -> uint8 [size,size,3]; shrinking averages areas, enlarging is bicubic."""
    return resize(centre(image) if crop == "centre" else image, size)


def square_labels(labels: np.ndarray, size: int, crop: Crop = "centre") -> np.ndarray:
    """Integers [H,W] below 256 -> uint8 [size,size], by nearest neighbour, cropped as the photograph."""
    cropped = centre(labels) if crop == "centre" else labels
    return label_map.resize(cropped, (size, size)).astype(np.uint8)


def centre(array: np.ndarray) -> np.ndarray:
    """The largest centred square of an image or label map: [H,W,...] -> [side,side,...], a view."""
    height, width = array.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return array[top : top + side, left : left + side]


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H,W,3] -> uint8 [size,size,3]; shrinking averages areas, enlarging is bicubic."""
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
        raise ValueError(f"an image is uint8 [H,W,3], not {image.dtype} {image.shape}")
    if image.shape[:2] == (size, size):
        return np.ascontiguousarray(image)
    method = cv2.INTER_AREA if image.shape[0] * image.shape[1] > size * size else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=method)
