"""What needs no training, to stand beside what was trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.evaluation.entries import Entry, Fill, one_by_one
from scan_jax.evaluation.results import COMPLETION
from scan_jax.inference.equations import GREY, WAYS, ByEquation, check


def find_baseline(key: str, labelled: object) -> Entry:
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


def baselines_for(labels: np.ndarray | None) -> tuple[Entry, ...]:
    """Those that photographs with (or, for None, without) labels are compared with; differences are to the first."""
    unlabelled = (NAVIER_STOKES, HARMONIC, BIHARMONIC)
    return unlabelled if labels is None else (*unlabelled, CLASS_MEAN)


def mean(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The mean colour of the known pixels; arguments and results as of `inference.equations.Way`."""
    check(photograph, hole)
    colour = photograph[~hole].mean(0) if not hole.all() else np.full(3, float(GREY))  # [3]
    return np.where(hole[..., None], np.round(colour).astype(np.uint8), photograph)


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
    check(photograph, hole)
    if labels.shape != hole.shape or labels.dtype.kind not in "ui":
        raise ValueError(f"integers {hole.shape} are needed, not {labels.dtype} {labels.shape}")
    colours, classes = photograph[~hole], labels[~hole]  # [K,3], [K]
    overall = colours.mean(0) if len(colours) else np.full(3, float(GREY))  # [3]
    least = int(labels.max()) + 1
    counts = np.bincount(classes, minlength=least)[:, None]  # [N,1]
    totals = np.stack([np.bincount(classes, channel, least) for channel in colours.T], axis=-1)  # [N,3]
    means = np.where(counts > 0, totals / np.maximum(counts, 1), overall)  # [N,3]
    return np.where(hole[..., None], np.round(means).astype(np.uint8)[labels], photograph)


def _fill_class_mean(photograph: np.ndarray, hole: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    if labels is None:
        raise ValueError("the class mean needs labels")
    return class_mean(photograph, hole, labels)


def _without_network(name: str, key: str) -> Entry:
    """What `scan_jax inpaint --run=KEY` fills with, too."""
    way = WAYS[key]
    details = {"computed by": ", ".join(map(str, way.computed_by))} if way.computed_by else {}
    return Entry(name, key, "baseline", _fill_by(way), way.computed_by, details)


def _fill_by(way: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Fill:
    """`way`, which does not look at labels: equations a batch at a time, others photograph by photograph."""
    if isinstance(way, ByEquation):
        return lambda batch: {COMPLETION: way.fill_batch(batch.photographs, batch.holes)}
    return one_by_one(lambda photograph, hole, labels: way(photograph, hole))


NAVIER_STOKES = _without_network("Navier-Stokes", "navier_stokes")
TELEA = _without_network("Telea", "telea")
HARMONIC = _without_network("harmonic", "harmonic")
BIHARMONIC = _without_network("biharmonic", "biharmonic")
MEAN = Entry("mean colour", "mean", "baseline", _fill_by(mean))
CLASS_MEAN = Entry("class mean", "class_mean", "baseline", one_by_one(_fill_class_mean))
BASELINES = {baseline.key: baseline for baseline in (NAVIER_STOKES, TELEA, HARMONIC, BIHARMONIC, MEAN, CLASS_MEAN)}
