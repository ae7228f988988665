"""What is asked for: a photograph with its hole and label map, each read once; and how it is to be filled."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.images import labels as label_map
from scan_jax.images.decode import Source
from scan_jax.images.hole import HoleColor, grow_hole, read_hole
from scan_jax.images.own_hole import check_hole_from, own_hole
from scan_jax.images.photograph import Photograph, read_photograph
from scan_jax.inference.tiling import STRATEGIES, Strategy

log = logging.getLogger(__name__)
Blend = Literal["auto", "poisson", "none"]
BLENDS: tuple[Blend, ...] = ("auto", "poisson", "none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FillOptions:
    """How holes are filled: the same for the command, for Python and for the page.

    Attributes:
      seed: of whatever the method draws at random, the same for each photograph.
      strategy: "whole" shows the network all of the photograph, shrunk to the size that it was trained at; "windows"
        the surroundings of each part of the hole, at the photograph's own scale where the hole is thin; "auto" takes
        windows where the method takes no labels and either the short side is above four times that size or the network
        was trained on squares from anywhere in photographs (`augmentation.crop="random_square"`).
      blend: "poisson" shifts a network's filling so that it meets the known pixels at the hole's border, "none" leaves
        it as it is; "auto" is the first, but where styles of another photograph are to be seen as they are.
      texture: whether the detail of a filling is replaced by patches of the photograph around the hole.
      grain: whether noise like that of the photograph around the hole is added where the filling lacks it.
      refine: an optimisation at test time, such as "style_search".
      steps: its updates at most; None is what the method's config says.
      styles: what parts are painted from instead of the photograph's own, as `Inpainter.styles` returns it.
      style_from: a photograph to take styles from, instead of `styles`.
      style_labels: its label map.
      style_parts: the classes whose styles are taken from it; all without any.
      style_amount: 0 is the photograph's own style, 1 the one that is given.
      batch_size: of the network, and how many photographs are in memory at a time.
      hole_from: "alpha" or a colour such as "ff00ff" where the photograph brings its hole itself, as `own_hole` reads
        it; "" where it is given besides.
      hole_tolerance: by how many levels of 255 that colour may differ.
      grow: by how many pixels a hole is enlarged, for one that is tight around what should go: dilated by a disc.

    Raises:
      UserError: a value makes no sense, or two contradict each other.
    """

    seed: int = 0
    strategy: Strategy = "auto"
    blend: Blend = "auto"
    texture: bool = False
    grain: bool = False
    refine: str | None = None
    steps: int | None = None
    styles: Mapping[str, np.ndarray] | None = None
    style_from: Source | None = None
    style_labels: Source | None = None
    style_parts: Sequence[str] = ()
    style_amount: float = 1.0
    batch_size: int = 1
    hole_from: str = ""
    hole_tolerance: int = 0
    grow: int = 0

    def __post_init__(self) -> None:
        restyled = bool(self.styles) or self.style_from is not None
        if (self.style_from is None) != (self.style_labels is None):
            raise UserError("--style_from and --style_labels go together: a photograph and its label map")
        _require_whole("seed", self.seed, 0, 2**32 - 1)
        _require_whole("batch_size", self.batch_size, 1)
        _require_whole("grow", self.grow, 0)
        if self.steps is not None:
            _require_whole("steps", self.steps, 0)
        for name in ("texture", "grain"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise UserError(f"--{name} is True or False, not {getattr(self, name)!r}")
        if self.batch_size > 1 and (self.refine or restyled):
            raise UserError("styles are searched and taken for one photograph at a time: give a batch_size of 1")
        check_hole_from(self.hole_from, self.hole_tolerance)
        if self.blend not in BLENDS:
            raise UserError(f"there is no blend {self.blend!r}; there are: {', '.join(BLENDS)}")
        if self.strategy not in STRATEGIES:
            raise UserError(f"there is no strategy {self.strategy!r}; there are: {', '.join(STRATEGIES)}")
        if self.refine and restyled:
            raise UserError("styles of another photograph are not optimised for this one; give either of the two")


def _require_whole(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Refuses what is no whole number in the range."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (whole and least <= value and (most is None or value <= most)):
        upper = "on" if most is None else f"to {most:,}"
        raise UserError(f"--{name} is a whole number from {least} {upper}, not {value!r}")


@dataclasses.dataclass(frozen=True)
class Request:
    """One photograph, and where it is to be filled."""

    photograph: Photograph  # with all that its file should keep
    hole: np.ndarray  # bool [H,W]
    labels: np.ndarray | None = None  # int32 [h,w], or None
    labels_name: str = "the label map"  # of the label map, for messages
    resize_labels: bool = False  # whether labels of another size are resized to the photograph's

    @classmethod
    def open(
        cls,
        photograph: Source,
        hole: Source | None,
        labels: Source | None = None,
        *,
        hole_color: HoleColor = "white",
        resize_labels: bool = False,
        options: FillOptions | None = None,
    ) -> Request:
        """Reads files, Pillow images or arrays; no network is needed for it, so that a typo costs no wait.

        Args:
          photograph: of any size.
          hole: of the same size; None is none, or the photograph's own where `options` say so.
          labels: classes; None where there are none.
          hole_color: what the hole is painted with.
          resize_labels: whether labels of another size are resized to the photograph's.
          options: of them `hole_from`, `hole_tolerance` and `grow` count here.

        Raises:
          UserError: a file that cannot be read, a hole of another size, or two holes: one given, one the photograph's.
        """
        how = options or FillOptions()
        if hole is not None and how.hole_from:
            raise UserError(f"give the hole, or have it read from the photograph by --hole_from={how.hole_from}")
        read = read_photograph(photograph)
        shape = read.pixels.shape[:2]
        if how.hole_from:
            holes = own_hole(read, how.hole_from, how.hole_tolerance)
        else:
            holes = np.zeros(shape, bool) if hole is None else read_hole(hole, hole_color)
        check_size("hole", holes, shape)
        classes = None if labels is None else label_map.read_labels(labels)
        named = isinstance(labels, (str, os.PathLike))
        name = f"the label map {os.fspath(labels)}" if named else "the label map"  # type: ignore[arg-type]
        return cls(read, grow_hole(holes, how.grow), classes, name, resize_labels)

    @property
    def unseen(self) -> np.ndarray | None:
        """Transparent pixels outside the hole, bool [H,W]: nobody sees what is beneath. None where there are none."""
        visible = self.photograph.visible
        return None if visible is None or (visible | self.hole).all() else ~(visible | self.hole)

    @property
    def known(self) -> np.ndarray:
        """What a network may look at, bool [H,W]."""
        unseen = self.unseen
        return ~self.hole if unseen is None else ~(self.hole | unseen)

    def labels_for(self, num_labels: int) -> np.ndarray | None:
        """The labels for a method of so many classes, int32 [H,W]; None for 0, a method that takes none.

        Raises:
          UserError: there are none, one is above the class count, or they have another size than the photograph.
        """
        if not num_labels:
            if self.labels is not None:
                log.warning("this method takes no labels: the label map is not used")
            return None
        if self.labels is None:
            raise UserError(
                f"this method needs a label map of {num_labels} classes; give --labels=LABELS.png, or labels= in Python"
            )
        label_map.check(self.labels, num_labels, self.labels_name)
        if self.resize_labels:
            return label_map.resize_like(self.labels, self.hole.shape, self.labels_name)
        check_size("label map", self.labels, self.hole.shape, ", or have it resized with --resize_labels")
        return self.labels


def check_size(name: str, array: np.ndarray, shape: tuple[int, ...], cure: str = "") -> None:
    """Refuses an array [h,w] of another size than the photograph (H, W, ...), by a UserError that names both sizes.

    `name`, such as "hole", and `cure`, what else can be done about it, are for that message.
    """
    if array.shape != shape[:2]:
        sizes = f"{label_map.size_text(shape)} pixels, the {name} {label_map.size_text(array.shape)}"
        raise UserError(f"the photograph is {sizes}; make them the same size{cure}")


def pick_styles(found: Mapping[str, np.ndarray], parts: Sequence[str]) -> dict[str, np.ndarray]:
    """The styles, by name as of `Inpainter.styles`, of some parts; of all that are there where none are named.

    UserError where the reference has no such part; it names those that it has.
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
