"""What needs no training, to stand beside what was trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.metadata import version

import cv2
import numpy as np

from scan_jax.errors import UserError
from scan_jax.evaluation.filling import FillOne
from scan_jax.settings import did_you_mean

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
    fill: FillOne
    depends_on: tuple[object, ...] = ()


def find_baseline(key: str, labelled: object) -> Baseline:
    """The baseline of that name.

    Args:
      key: such as "telea".
      labelled: the first photograph's labels, or None.

    Raises:
      UserError: there is none, or it needs labels that are not there.
    """
    if key not in BASELINES:
        raise UserError(f"no baseline {key!r}{did_you_mean(key, BASELINES)}; there are: {', '.join(BASELINES)}")
    if BASELINES[key] is CLASS_MEAN and labelled is None:
        raise UserError("the baseline class_mean needs photographs with label maps; leave it out")
    return BASELINES[key]


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
    return _by_opencv(photograph, hole, cv2.INPAINT_NS)


def telea(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """OpenCV's inpainting after Telea (2004): `INPAINT_TELEA`, radius 3; arguments and results as `navier_stokes`."""
    return _by_opencv(photograph, hole, cv2.INPAINT_TELEA)


def biharmonic(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """scikit-image's biharmonic equation (Damelin and Hoang 2018); arguments and results as `navier_stokes`.

    Seconds for a photograph of 256x256: every pixel of the hole is an unknown of one linear system.
    """
    from skimage.restoration import inpaint_biharmonic  # half a second to import, for those who ask for it

    _check(photograph, hole)
    if hole.all() or not hole.any():
        return np.full_like(photograph, GREY) if hole.all() else photograph
    visible = np.where(hole[..., None], 0.0, photograph / 255.0)  # [H,W,3]
    filled = np.clip(inpaint_biharmonic(visible, hole, channel_axis=-1), 0.0, 1.0)
    return np.where(hole[..., None], np.round(255.0 * filled).astype(np.uint8), photograph)


def mean(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The mean colour of the known pixels; arguments and results as `navier_stokes`."""
    _check(photograph, hole)
    colour = photograph[~hole].mean(0) if not hole.all() else np.full(3, float(GREY))  # [3]
    return np.where(hole[..., None], np.round(colour).astype(np.uint8), photograph)


def _by_opencv(photograph: np.ndarray, hole: np.ndarray, flag: int) -> np.ndarray:
    _check(photograph, hole)
    if hole.all():
        return np.full_like(photograph, GREY)
    visible = np.where(hole[..., None], np.uint8(0), photograph)  # [H,W,3]
    filled = cv2.inpaint(visible, hole.astype(np.uint8), RADIUS, flag)
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


def _without_labels(fill: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> FillOne:
    """`fill`, handed labels that it does not look at."""
    return lambda photograph, hole, labels: fill(photograph, hole)


def _fill_class_mean(photograph: np.ndarray, hole: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    if labels is None:
        raise ValueError("the class mean needs labels")
    return class_mean(photograph, hole, labels)


_OPENCV = (f"OpenCV {cv2.__version__}", f"radius {RADIUS}")
NAVIER_STOKES = Baseline("Navier-Stokes", "navier_stokes", _without_labels(navier_stokes), _OPENCV)
TELEA = Baseline("Telea", "telea", _without_labels(telea), _OPENCV)
BIHARMONIC = Baseline(
    "biharmonic", "biharmonic", _without_labels(biharmonic), (f"scikit-image {version('scikit-image')}",)
)
MEAN = Baseline("mean colour", "mean", _without_labels(mean))
CLASS_MEAN = Baseline("class mean", "class_mean", _fill_class_mean)
BASELINES = {baseline.key: baseline for baseline in (NAVIER_STOKES, TELEA, BIHARMONIC, MEAN, CLASS_MEAN)}
