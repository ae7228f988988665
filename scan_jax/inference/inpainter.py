"""Fills the hole of a photograph of any size; the one way to do it, for commands, notebooks and tests alike."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Protocol

import jax
import numpy as np
from PIL import Image

from scan_jax import label_map
from scan_jax.errors import UserError
from scan_jax.inference import run_folder
from scan_jax.inference.hole import read_hole
from scan_jax.inference.labels import read_labels
from scan_jax.inference.photograph import read_photograph
from scan_jax.inference.working_size import enlarge, pad, shrink, working_shape
from scan_jax.methods import api
from scan_jax.methods.api import Trees, Variables
from scan_jax.types import Array, Observation, Prediction

log = logging.getLogger(__name__)
Picture = str | os.PathLike[str] | Image.Image | np.ndarray
LARGE_HOLE = 0.6  # of the photograph; beyond it, black is more often the hole than white


class Fills(Protocol):
    """What filling asks of a method; `methods.api.Method` has it."""

    @property
    def stride(self) -> int:
        """Height and width given to `predict` must be multiples of it."""
        ...

    @property
    def num_labels(self) -> int:
        """Classes of the labels that `predict` wants; 0 where it takes none."""
        ...

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole."""
        ...


class Inpainter:
    """A trained method, ready to fill holes.

    Attributes:
      size: the short side in pixels at which the network was trained, and at which larger photographs are filled.
      step: updates that the network had seen.
      num_labels: classes of the label map that it wants; 0 where it takes none.
    """

    def __init__(self, method: Fills, variables: Variables, *, size: int, step: int = 0) -> None:
        """From parts; `Inpainter.load` finds them in a run folder."""
        self.size, self.step, self.num_labels = size, step, method.num_labels
        self._stride = method.stride
        self._params, self._stats = jax.device_put((dict(variables.params), dict(variables.stats)))

        def predict(params: Trees, stats: Trees, observation: Observation, rng: Array) -> Array:
            return method.predict(Variables(params, stats), observation, rng).image

        self._predict = jax.jit(predict)

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> Inpainter:
        """The newest whole checkpoint of a run folder, with the generator's moving average.

        Raises:
          UserError: there is no such run, it has no checkpoint that can be read, or its config describes no method.
        """
        folder = Path(run)
        config = run_folder.read_config(folder)
        try:
            section, size = config["method"], int(config["data"]["size"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{folder}/config.json lacks a method or data.size; give the folder of a run") from error
        method = api.build_method(section)
        step, variables = run_folder.restore(folder)
        identity = run_folder.parameter_hash(variables.params)[:12]
        log.info("%s: %s at step %d, parameters %s", folder, section["name"], step, identity)
        return cls(method, variables, size=size, step=step)

    def __call__(self, image: Picture, hole: Picture, labels: Picture | None = None, *, seed: int = 0) -> np.ndarray:
        """Fills the hole and touches nothing else.

        Args:
          image: a path, Pillow image or array, of any size; what it holds in the hole makes no difference.
          hole: the same size; white, True or 1 is the hole.
          labels: the same size; integer classes [H,W], or a picture whose pixel values are the classes. Needed where
            `num_labels` is not 0; a class may be absent, or lie in the hole alone.
          seed: of whatever the method draws at random.

        Returns:
          uint8 RGB [H,W,3], upright; every known pixel is the photograph's own.

        Raises:
          UserError: a file that cannot be read, sizes that differ, labels that are missing or above the class count.
        """
        pixels, holes = read_photograph(image).pixels, read_hole(hole)  # [H,W,3], [H,W]
        classes = self._read_labels(labels)  # [H,W]
        _check_sizes(pixels, holes, classes)
        if not holes.any():
            log.warning("there is no hole: the photograph is returned as it is")
            return pixels
        _warn_of_large_holes(holes)
        filled = self._fill(pixels, ~holes, classes, seed)  # [H,W,3]
        return np.where(holes[..., None], _to_bytes(filled), pixels)

    def predict(self, image: np.ndarray, known: np.ndarray, labels: np.ndarray | None = None, seed: int = 0) -> Array:
        """The network's raw prediction for a batch at a size that it takes, as an evaluation wants it.

        Args:
          image: float32 [B,H,W,3] in [0, 1]; height and width multiples of the method's stride.
          known: [B,H,W,1], 1 = known pixel.
          labels: int32 [B,H,W]; not used by a method that takes none.
          seed: of whatever the method draws at random.

        Returns:
          [B,H,W,3] in [0, 1], on the device.
        """
        if image.ndim != 4 or known.shape != (*image.shape[:3], 1):
            raise ValueError(f"[B,H,W,3] and [B,H,W,1] are needed, not {image.shape} and {known.shape}")
        classes = labels if self.num_labels else None
        if self.num_labels and (classes is None or classes.shape != image.shape[:3]):
            raise ValueError(f"labels {image.shape[:3]} are needed, not {None if classes is None else classes.shape}")
        observation = Observation(*jax.device_put((image * known, known, classes)))
        return self._predict(self._params, self._stats, observation, jax.random.key(seed))

    def _read_labels(self, labels: Picture | None) -> np.ndarray | None:
        """int32 [H,W] for a method that wants labels, None for one that takes none."""
        if self.num_labels and labels is None:
            raise UserError(
                f"this method needs a label map of {self.num_labels} classes; "
                "give --labels=LABELS.png, or labels= in Python"
            )
        if not self.num_labels and labels is not None:
            log.warning("this method takes no labels: the label map is not used")
        return None if labels is None or not self.num_labels else read_labels(labels, self.num_labels)

    def _fill(self, pixels: np.ndarray, known: np.ndarray, labels: np.ndarray | None, seed: int) -> np.ndarray:
        """uint8 [H,W,3], bool [H,W] -> a completion, float32 [H,W,3], whose hole is what counts."""
        height, width = shape = working_shape(pixels.shape[:2], self.size)
        image, seen = shrink(pixels.astype(np.float32) / np.float32(255), known, shape)  # [h,w,3], [h,w]
        padded = pad(image, self._stride)[None]  # [1,h',w',3]
        padded_known = pad(seen[..., None].astype(np.float32), self._stride)[None]  # [1,h',w',1]
        classes = None if labels is None else pad(label_map.resize(labels, shape), self._stride)[None]  # [1,h',w']
        prediction = np.asarray(jax.device_get(self.predict(padded, padded_known, classes, seed)))  # [1,h',w',3]
        # Known pixels beside the hole keep their colours while it is enlarged, so that no seam opens at its border.
        completion = np.where(seen[..., None], image, prediction[0, :height, :width])  # [h,w,3]
        return enlarge(completion, pixels.shape[:2])


def _check_sizes(pixels: np.ndarray, hole: np.ndarray, labels: np.ndarray | None) -> None:
    """Refuses a hole or labels of another size than the photograph."""
    for name, array in (("hole", hole), ("label map", labels)):
        if array is not None and array.shape != pixels.shape[:2]:
            (height, width), other = pixels.shape[:2], "x".join(map(str, array.shape[::-1]))
            cure = ", or have it resized with --resize_labels" if array is labels else ""
            raise UserError(
                f"the photograph is {width}x{height} pixels, the {name} {other}; make them the same size{cure}"
            )


def _warn_of_large_holes(hole: np.ndarray) -> None:
    share = float(hole.mean())
    if share == 1.0:
        log.warning("the whole photograph is hole: everything in the answer is invented")
    elif share > LARGE_HOLE:
        log.warning("the hole takes %.0f%% of the photograph; white is the hole, is it painted in black?", 100 * share)


def _to_bytes(image: np.ndarray) -> np.ndarray:
    """Float in [0, 1] -> uint8, rounded."""
    return np.round(255.0 * np.clip(image, 0.0, 1.0)).astype(np.uint8)
