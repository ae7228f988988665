"""Colours at a hole's border: what is filled in is shifted to meet what is known, without a change to the known."""

from __future__ import annotations

import cv2
import numpy as np


def meet(prediction: np.ndarray, image: np.ndarray, known: np.ndarray, reach: float) -> np.ndarray:
    """Adds to the prediction how far it is off at the known pixels near by, fading with the distance to them.

    Args:
      prediction: float32 [h,w,3], everywhere.
      image: float32 [h,w,3]; its hole makes no difference.
      known: bool [h,w].
      reach: in pixels, the deviation of a Gaussian window; 0 changes nothing.

    Returns:
      float32 [h,w,3] in [0, 1].
    """
    if prediction.shape != image.shape or image.shape[:2] != known.shape:
        raise ValueError(f"[h,w,3] twice and [h,w] are needed, not {prediction.shape}, {image.shape}, {known.shape}")
    if reach <= 0:
        return prediction
    off = np.where(known[..., None], image - prediction, np.float32(0))  # [h,w,3]
    share = _blur(known.astype(np.float32), reach)[..., None]  # [h,w,1], of the window that is known
    # A mean over known pixels up to the border, where half of the window is known; beyond it fades with that share.
    shifted = prediction + _blur(off, reach) * np.minimum(2.0, 1.0 / np.maximum(share, 1e-6))
    return np.clip(shifted, 0.0, 1.0).astype(np.float32)


def _blur(array: np.ndarray, reach: float) -> np.ndarray:
    return cv2.GaussianBlur(array, (0, 0), reach, borderType=cv2.BORDER_REFLECT)
