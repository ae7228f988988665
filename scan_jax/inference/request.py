"""What is asked for: a photograph, its hole and its label map, read before a network is loaded."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.images import labels as label_map
from scan_jax.images.hole import HoleColor, read_hole
from scan_jax.images.labels import read_labels
from scan_jax.images.photograph import Photograph, read_photograph


@dataclasses.dataclass(frozen=True)
class Request:
    """One photograph, and where it is to be filled.

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
        """Reads the files that the flags of `command_line.add_photograph_flags` name, so that a typo costs no wait.

        Raises:
          UserError: a file that cannot be read, or a hole of another size.
        """
        return cls.open(flags.photograph, flags.hole, flags.labels, flags.hole_color, flags.resize_labels)

    @classmethod
    def open(
        cls, photograph: Path, hole: Path, labels: Path | None, hole_color: HoleColor = "white", resize: bool = False
    ) -> Request:
        """Reads the files.

        Raises:
          UserError: a file that cannot be read, or a hole of another size.
        """
        read, found = read_photograph(photograph), read_hole(hole, hole_color)
        check_size("hole", found, read.pixels.shape)
        return cls(read, found, read_labels(labels) if labels else None, labels, resize)

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


def check_size(name: str, array: np.ndarray, shape: tuple[int, ...], cure: str = "") -> None:
    """Refuses what has another size than the photograph.

    Args:
      name: of `array`, for the message: "hole".
      array: [h,w].
      shape: (H, W, ...) of the photograph.
      cure: what else can be done about it.

    Raises:
      UserError: it names both sizes.
    """
    if array.shape != shape[:2]:
        sizes = f"{label_map.size_text(shape)} pixels, the {name} {label_map.size_text(array.shape)}"
        raise UserError(f"the photograph is {sizes}; make them the same size{cure}")


def pick_styles(found: Mapping[str, np.ndarray], parts: Sequence[str]) -> dict[str, np.ndarray]:
    """The styles of some parts; of all that are there where none are named.

    Args:
      found: by name, as `Inpainter.styles` returns them.
      parts: names of classes.

    Raises:
      UserError: the reference has no such part; it names those that it has.
    """
    for part in parts:
        if part not in found:
            near = did_you_mean(part, found)
            raise UserError(f"the reference photograph shows no part {part!r}{near}; it shows: {', '.join(found)}")
    return {part: found[part] for part in parts or found}


def interpolate(start: Mapping[str, np.ndarray], end: Mapping[str, np.ndarray], amount: float) -> dict[str, np.ndarray]:
    """Every part of `end`, `amount` of the way from its style in `start`; a part that `start` lacks is `end`'s.

    Raises:
      UserError: `amount` is not in [0, 1].
    """
    if not 0 <= amount <= 1:
        raise UserError(f"the amount of a style is from 0 (the photograph's own) to 1 (the reference's), not {amount}")
    return {
        part: style if part not in start else (1 - amount) * start[part] + amount * style for part, style in end.items()
    }
