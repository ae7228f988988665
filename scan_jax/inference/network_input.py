"""A photograph as the network sees it: at its working size, padded, a batch of one; and the way back."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np

from scan_jax.core.types import Observation
from scan_jax.images import labels as label_map


@dataclasses.dataclass(frozen=True)
class NetworkInput:
    """One photograph at its working size.

    Attributes:
      image: float32 [h,w,3] in [0, 1], zero where not known.
      known: bool [h,w].
      observation: both, and the labels, padded to [1,h',w',.], on the host.
      shape: (H, W) of the photograph.
    """

    image: np.ndarray
    known: np.ndarray
    observation: Observation
    shape: tuple[int, int]

    @classmethod
    def of(
        cls, pixels: np.ndarray, known: np.ndarray, labels: np.ndarray | None, size: int, stride: int
    ) -> NetworkInput:
        """From uint8 [H,W,3], bool [H,W] and integers [H,W] or None; `size` is the short side of larger photographs."""
        shape = working_shape(pixels.shape[:2], size)
        image, seen = shrink(pixels.astype(np.float32) / np.float32(255), known, shape)  # [h,w,3], [h,w]
        padded = pad(image, stride)[None]  # [1,h',w',3]
        padded_known = pad(seen[..., None].astype(np.float32), stride)[None]  # [1,h',w',1]
        classes = None if labels is None else pad(label_map.resize(labels, shape), stride)[None]  # [1,h',w']
        observation = Observation(padded * padded_known, padded_known, classes)  # type: ignore[arg-type]
        return cls(image, seen, observation, (pixels.shape[0], pixels.shape[1]))

    def complete(self, prediction: np.ndarray, reach: float = 0.0) -> np.ndarray:
        """A completion, float32 [H,W,3], whose hole is what counts.

        Args:
          prediction: [h',w',3].
          reach: how far colours are shifted into the hole to meet the known ones, in pixels of the photograph.
        """
        height, width = self.known.shape
        inside = prediction[:height, :width]  # [h,w,3]
        inside = feather(inside, self.image, self.known, reach * height / self.shape[0])
        # Known pixels beside the hole keep their colours while it is enlarged, so that no seam opens at its border.
        completion = np.where(self.known[..., None], self.image, inside)  # [h,w,3]
        return enlarge(completion, self.shape)

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


def feather(prediction: np.ndarray, image: np.ndarray, known: np.ndarray, reach: float) -> np.ndarray:
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
