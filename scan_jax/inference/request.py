"""What a command is asked to do: a photograph, its hole and its label map, read before a network is loaded."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from scan_jax import label_map
from scan_jax.inference.hole import read_hole
from scan_jax.inference.labels import read_labels
from scan_jax.inference.photograph import Photograph, read_photograph


@dataclasses.dataclass(frozen=True)
class Request:
    """One photograph, from the flags of `command_line.add_photograph_flags`.

    Attributes:
      photograph: with all that its file should keep.
      hole: bool [H,W].
      labels: integers [h,w] as they were read, or None.
      labels_path: where they came from.
      resize: whether labels of another size are brought to the photograph's.
    """

    photograph: Photograph
    hole: np.ndarray
    labels: np.ndarray | None
    labels_path: Path | None
    resize: bool

    @classmethod
    def read(cls, flags: argparse.Namespace) -> Request:
        """Reads the files, so that a typo costs no wait.

        Raises:
          UserError: a file that cannot be read.
        """
        photograph, hole = read_photograph(flags.photograph), read_hole(flags.hole, flags.hole_color)
        labels = read_labels(flags.labels) if flags.labels else None
        return cls(photograph, hole, labels, flags.labels, flags.resize_labels)

    def labels_for(self, num_labels: int) -> np.ndarray | None:
        """The label map, checked against the number of classes and resized where that was asked for.

        Raises:
          UserError: a label above the class count, or a map of other proportions than the photograph.
        """
        if self.labels is None or not num_labels:
            return self.labels
        name = f"the label map {self.labels_path}"
        label_map.check(self.labels, num_labels, name)
        shape = self.photograph.pixels.shape[:2]
        return label_map.resize_like(self.labels, shape, name) if self.resize else self.labels
