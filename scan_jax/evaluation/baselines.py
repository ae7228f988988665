"""What needs no training, to stand beside what was trained."""

from __future__ import annotations

import cv2
import numpy as np

RADIUS = 3  # pixels around the hole that OpenCV looks at


def navier_stokes(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """OpenCV's inpainting after Bertalmio, Bertozzi and Sapiro (2001): `INPAINT_NS`, radius 3.

    Args:
      photograph: uint8 [H,W,3]; what it holds in the hole is not used.
      hole: bool [H,W].

    Returns:
      uint8 [H,W,3], the photograph itself outside the hole; mid-grey where there is nothing to start from.

    Raises:
      ValueError: another type or unequal sizes.
    """
    if photograph.dtype != np.uint8 or photograph.ndim != 3 or hole.dtype != bool or hole.shape != photograph.shape[:2]:
        raise ValueError(f"uint8 [H,W,3] and bool [H,W] are needed, not {photograph.shape}, {hole.shape} {hole.dtype}")
    if hole.all():
        return np.full_like(photograph, 128)
    visible = np.where(hole[..., None], np.uint8(0), photograph)  # [H,W,3]
    filled = cv2.inpaint(visible, hole.astype(np.uint8), RADIUS, cv2.INPAINT_NS)
    return np.where(hole[..., None], filled, photograph)
