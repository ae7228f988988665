"""The StableHLO program of a bundle, run by JAX alone: no method, no layer and no model of this toolkit is imported."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
from jax import export

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import BUNDLE, CONFIG, PROGRAM
from scan_jax.core.types import Array
from scan_jax.weights import bundle, safetensors_tree


class Artefact:
    """Fills the holes of batches, as `fill.stablehlo` says; compiled once for each shape.

    Attributes:
      stride: height and width must be multiples of it.
      size: height and width that it was made for, or 0 for any.
      num_labels: classes of the label map that it wants; 0 where it takes none.
      platforms: that it was made for.
    """

    def __init__(
        self, program: bytes, arrays: Mapping[str, np.ndarray], *, stride: int, num_labels: int, size: int = 0
    ) -> None:
        """From what `jax.export` serialised, and the arrays under their names in the file."""
        exported = export.deserialize(bytearray(program))
        self.stride, self.size, self.num_labels = stride, size, num_labels
        self.platforms = tuple(exported.platforms)
        self._arrays = jax.device_put(dict(arrays))
        self._run = jax.jit(exported.call)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Artefact:
        """From the folder of a bundle.

        Raises:
          UserError: it is no bundle with a program, or `weights.bundle.check` refuses it.
        """
        path = Path(folder)
        try:
            config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
            program = (path / PROGRAM).read_bytes()
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is no bundle with a {PROGRAM} ({error}); export one") from error
        bundle.check(path, config)
        section = config.get(bundle.SECTION, {})
        if "stride" not in section:
            raise UserError(f"{path / CONFIG} does not describe {PROGRAM}; export the bundle anew")
        flat, _ = safetensors_tree.read(path / BUNDLE)
        stride, size, classes = int(section["stride"]), int(section.get("size", 0)), section.get("classes", ())
        return cls(program, flat, stride=stride, num_labels=len(classes), size=size)

    def __call__(self, image: np.ndarray, known: np.ndarray, labels: np.ndarray | None = None) -> Array:
        """The prediction everywhere; where a pixel is known, the photograph's own is the better one.

        Args:
          image: [B,H,W,3] in [0, 1]; what it holds in the hole makes no difference.
          known: [B,H,W,1], 1 = known pixel, 0 = hole.
          labels: [B,H,W] integers, where `num_labels` is not 0.

        Returns:
          [B,H,W,3] in [0, 1], on the device.

        Raises:
          UserError: other shapes, sizes that are no multiples of the stride, or labels that are missing or not wanted.
        """
        if np.ndim(image) != 4 or np.shape(image)[3] != 3 or np.shape(known) != (*np.shape(image)[:3], 1):
            raise UserError(f"image [B,H,W,3] and known [B,H,W,1] are needed, not {np.shape(image)}, {np.shape(known)}")
        if np.shape(image)[1] % self.stride or np.shape(image)[2] % self.stride:
            raise UserError(
                f"height and width must be multiples of {self.stride}, not {np.shape(image)[1:3]}; pad them"
            )
        if self.size and np.shape(image)[1:3] != (self.size, self.size):
            raise UserError(f"this program is for {self.size}x{self.size}, not {np.shape(image)[1:3]}; resize them")
        if (labels is not None) != bool(self.num_labels):
            wanted = f"labels of {self.num_labels} classes" if self.num_labels else "no labels"
            raise UserError(f"this network takes {wanted}")
        if labels is not None and np.shape(labels) != np.shape(image)[:3]:
            raise UserError(f"labels must be {np.shape(image)[:3]}, not {np.shape(labels)}")
        seen = (np.asarray(image, np.float32), np.asarray(known, np.float32))
        return self._run(self._arrays, *seen, *([] if labels is None else [np.asarray(labels, np.int32)]))
