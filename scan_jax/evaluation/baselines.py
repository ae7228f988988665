"""What needs no training, to stand beside what was trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np

RADIUS = 3  # pixels around the hole that OpenCV looks at
GREY = 128  # where there is nothing to start from


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A way to fill a hole, as the evaluation wants it.

    Attributes:
      name: in tables.
      key: of the file that keeps its scores.
      fill: completes a photograph uint8 [H,W,3] with hole bool [H,W] and labels int32 [H,W] or None, to uint8 [H,W,3].
      depends_on: what its completions depend on besides those.
    """

    name: str
    key: str
    fill: Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]
    depends_on: tuple[object, ...] = ()


def baselines_for(labels: np.ndarray | None) -> tuple[Baseline, ...]:
    """Those that photographs with (or, for None, without) labels are compared with; differences are to the first."""
    return (NAVIER_STOKES,) if labels is None else (NAVIER_STOKES, CLASS_MEAN)


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
    _check(photograph, hole)
    if hole.all():
        return np.full_like(photograph, GREY)
    visible = np.where(hole[..., None], np.uint8(0), photograph)  # [H,W,3]
    filled = cv2.inpaint(visible, hole.astype(np.uint8), RADIUS, cv2.INPAINT_NS)
    return np.where(hole[..., None], filled, photograph)


def class_mean(photograph: np.ndarray, hole: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fills each class in the mean colour of its known pixels, the floor of a model that paints from one style a class.

    Args:
      photograph: uint8 [H,W,3]; what it holds in the hole is not used.
      hole: bool [H,W].
      labels: integers [H,W], not negative.

    Returns:
      uint8 [H,W,3], the photograph itself outside the hole. A class that lies in the hole alone gets the mean of all
      known pixels; where nothing is known, everything is mid-grey.

    Raises:
      ValueError: another type or unequal sizes.
    """
    _check(photograph, hole)
    if labels.shape != hole.shape or labels.dtype.kind not in "ui":
        raise ValueError(f"integers {hole.shape} are needed, not {labels.dtype} {labels.shape}")
    colours, classes = photograph[~hole], labels[~hole]  # [K,3], [K]
    overall = colours.mean(0) if len(colours) else np.full(3, float(GREY))  # [3]
    least = int(labels.max()) + 1
    counts = np.bincount(classes, minlength=least)[:, None]  # [N,1]
    totals = np.stack([np.bincount(classes, channel, least) for channel in colours.T], axis=-1)  # [N,3]
    means = np.where(counts > 0, totals / np.maximum(counts, 1), overall)  # [N,3]
    return np.where(hole[..., None], np.round(means).astype(np.uint8)[labels], photograph)


def _check(photograph: np.ndarray, hole: np.ndarray) -> None:
    if photograph.dtype != np.uint8 or photograph.ndim != 3 or hole.dtype != bool or hole.shape != photograph.shape[:2]:
        raise ValueError(f"uint8 [H,W,3] and bool [H,W] are needed, not {photograph.shape}, {hole.shape} {hole.dtype}")


def _fill_navier_stokes(photograph: np.ndarray, hole: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    del labels
    return navier_stokes(photograph, hole)


def _fill_class_mean(photograph: np.ndarray, hole: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    if labels is None:
        raise ValueError("the class mean needs labels")
    return class_mean(photograph, hole, labels)


NAVIER_STOKES = Baseline("Navier-Stokes", "navier_stokes", _fill_navier_stokes, (cv2.__version__, RADIUS))
CLASS_MEAN = Baseline("class mean", "class_mean", _fill_class_mean)
