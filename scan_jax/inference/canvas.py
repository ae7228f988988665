"""A photograph as the network sees it: at its working size, padded, a batch of one; and the way back."""

from __future__ import annotations

import dataclasses

import numpy as np

from scan_jax import label_map
from scan_jax.core.types import Observation
from scan_jax.inference.seam import meet
from scan_jax.inference.working_size import enlarge, pad, shrink, working_shape


@dataclasses.dataclass(frozen=True)
class Canvas:
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
    def of(cls, pixels: np.ndarray, known: np.ndarray, labels: np.ndarray | None, size: int, stride: int) -> Canvas:
        """From uint8 [H,W,3], bool [H,W] and integers [H,W] or None; `size` is the short side of larger photographs."""
        shape = working_shape(pixels.shape[:2], size)
        image, seen = shrink(pixels.astype(np.float32) / np.float32(255), known, shape)  # [h,w,3], [h,w]
        padded = pad(image, stride)[None]  # [1,h',w',3]
        padded_known = pad(seen[..., None].astype(np.float32), stride)[None]  # [1,h',w',1]
        classes = None if labels is None else pad(label_map.resize(labels, shape), stride)[None]  # [1,h',w']
        observation = Observation(padded * padded_known, padded_known, classes)  # type: ignore[arg-type]
        return cls(image, seen, observation, (pixels.shape[0], pixels.shape[1]))

    def complete(self, prediction: np.ndarray, feather: float = 0.0) -> np.ndarray:
        """A completion, float32 [H,W,3], whose hole is what counts.

        Args:
          prediction: [h',w',3].
          feather: how far colours are shifted into the hole to meet the known ones, in pixels of the photograph.
        """
        height, width = self.known.shape
        inside = prediction[:height, :width]  # [h,w,3]
        inside = meet(inside, self.image, self.known, feather * height / self.shape[0])
        # Known pixels beside the hole keep their colours while it is enlarged, so that no seam opens at its border.
        completion = np.where(self.known[..., None], self.image, inside)  # [h,w,3]
        return enlarge(completion, self.shape)

    def inward(self, points: np.ndarray) -> np.ndarray:
        """Pixels of the photograph, (row, column) [P,2], at the working size: int32 [P,2]."""
        scale = np.array(self.known.shape) / np.array(self.shape)  # [2]
        return np.floor((points + 0.5) * scale).astype(np.int32)

    def outward(self, maps: np.ndarray) -> np.ndarray:
        """Maps over the canvas [P,h',w'], each value where it belongs on the photograph: [P,H,W]."""
        height, width = self.known.shape
        rows, columns = self.inward(np.stack([np.arange(max(self.shape))] * 2, axis=1)).T
        inside = maps[:, :height, :width]  # [P,h,w]
        return inside[:, rows[: self.shape[0], None], columns[None, : self.shape[1]]]
