"""Fills the hole of a photograph of any size; the one way to do it, for commands, notebooks and tests alike."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.types import Array, Observation
from scan_jax.images.hole import read_hole
from scan_jax.images.labels import read_labels
from scan_jax.images.palette import part_names
from scan_jax.images.photograph import read_photograph
from scan_jax.inference.canvas import Canvas
from scan_jax.inference.engine import Engine, predict_each
from scan_jax.inference.request import check_size
from scan_jax.inference.trained import Trained, split
from scan_jax.inference.windows import STRATEGIES, Collage, Strategy
from scan_jax.methods.api import Method, Variables

log = logging.getLogger(__name__)
Picture = str | os.PathLike[str] | Image.Image | np.ndarray
LARGE_HOLE = 0.6  # of the photograph; beyond it, black is more often the hole than white


class Inpainter:
    """A trained method, ready to fill holes.

    Attributes:
      size: the short side in pixels at which the network was trained, and at which larger photographs are filled; 0
        where there is no network, and all are filled at their own size.
      step: updates that the network had seen.
      num_labels: classes of the label map that it wants; 0 where it takes none.
      about: which one it is, for programs.
    """

    def __init__(
        self, method: Method, variables: Variables, *, size: int, step: int = 0, about: Mapping[str, Any] | None = None
    ) -> None:
        """From parts; `Inpainter.load` finds them in a run folder."""
        self.size, self.step, self.num_labels = size, step, method.num_labels
        self.about = dict(about or {})
        self._engine, self._stride = Engine(method, variables), method.stride

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> Inpainter:
        """The newest whole checkpoint of a run folder, with the generator's moving average; or a bundle.

        Args:
          run: its folder; or "harmonic", "biharmonic", "navier_stokes" or "telea", which fill without a network. A
            folder of such a name is `Path("harmonic")` or "./harmonic".

        Raises:
          UserError: there is no such folder, nothing in it can be read, or its config describes another network.
        """
        from scan_jax.inference.equations import WAYS, Untrained  # which is an Inpainter itself

        if isinstance(run, str) and run in WAYS:
            return Untrained(run)
        if not split(Path(run))[0].is_dir():
            near = did_you_mean(str(run), WAYS)
            raise UserError(
                f"there is no run folder {run}{near}; give the --workdir of a training run, or what needs none: "
                f"{', '.join(WAYS)}"
            )
        trained = Trained.load(Path(run))
        about = {
            "method": trained.config["method"]["name"],
            "step": trained.step,
            "size": trained.size,
            "parameters": trained.identity,
        }
        return cls(trained.method, trained.variables, size=trained.size, step=trained.step, about=about)

    def __call__(
        self,
        image: Picture,
        hole: Picture,
        labels: Picture | None = None,
        *,
        seed: int = 0,
        refine: str | None = None,
        steps: int | None = None,
        styles: Mapping[str, np.ndarray] | None = None,
        strategy: Strategy = "auto",
        feather: float = 0.0,
    ) -> np.ndarray:
        """Fills the hole and touches nothing else.

        Args:
          image: a path, Pillow image or array, of any size; what it holds in the hole makes no difference.
          hole: the same size; white, True or 1 is the hole.
          labels: the same size; integer classes [H,W], or a picture whose pixel values are the classes. Needed where
            `num_labels` is not 0; a class may be absent, or lie in the hole alone. An edited map fills the hole with
            what it says.
          seed: of whatever the method draws at random.
          refine: an optimisation at test time, such as "style_search".
          steps: its updates at most; None is what the method's config says.
          styles: what parts are painted from instead of the photograph's own, as `Inpainter.styles` returns it.
          strategy: "whole" shows the network all of the photograph, shrunk to the size that it was trained at;
            "windows" the surroundings of each part of the hole, at the photograph's own scale where the hole is thin;
            "auto" takes windows where the short side is above four times that size and the method takes no labels.
          feather: pixels; colours are shifted so far into the hole to meet the known ones at its border.

        Returns:
          uint8 RGB [H,W,3], upright; every known pixel is the photograph's own.

        Raises:
          UserError: a file that cannot be read, sizes that differ, labels that are missing or above the class count, or
            something that this method cannot do.
        """
        if refine and styles:
            raise UserError("styles of another photograph are not optimised for this one; give either of the two")
        pixels, holes, classes = self._read(image, hole, labels)  # [H,W,3], [H,W], [H,W]
        collage = self._plan(pixels, holes, classes, strategy)
        if not styles and not refine:
            return self._fill([collage], seed, 1, feather)[0]
        return collage.fill(
            canvas.complete(self._one(canvas, seed, refine, steps, styles), feather)
            for canvas in collage.canvases(self.size, self._stride)
        )

    def batch(
        self,
        images: Sequence[Picture],
        holes: Sequence[Picture],
        labels: Sequence[Picture] | None = None,
        *,
        seed: int = 0,
        batch_size: int = 8,
        strategy: Strategy = "auto",
        feather: float = 0.0,
    ) -> Iterator[np.ndarray]:
        """Fills photographs of any sizes, those of similar size together; no result depends on the others.

        Args:
          images: as in filling one, like all others; read as they are needed.
          holes: one for each.
          labels: one for each, where the method wants them.
          seed: of whatever the method draws at random, the same for each.
          batch_size: of the network, and how many photographs are in memory at a time.
          strategy: as in filling one.
          feather: as in filling one.

        Yields:
          uint8 RGB [H,W,3] of each, in order.

        Raises:
          UserError: numbers that differ, or what filling one refuses.
        """
        if len(images) != len(holes) or (labels is not None and len(labels) != len(images)):
            counts = f"{len(images)} photographs, {len(holes)} holes"
            raise UserError(f"{counts}{'' if labels is None else f', {len(labels)} label maps'}: give one of each")
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, not {batch_size}")
        asked = zip(images, holes, itertools.repeat(None) if labels is None else labels)
        while chunk := list(itertools.islice(asked, batch_size)):
            collages = [self._plan(*self._read(*each), strategy) for each in chunk]
            yield from self._fill(collages, seed, batch_size, feather)

    def styles(self, image: Picture, labels: Picture | None, hole: Picture | None = None) -> dict[str, np.ndarray]:
        """What every part of a photograph would be painted from; plain vectors, so a weighted mean lies in between.

        Args:
          image: as in filling.
          labels: its label map.
          hole: what is not to be read; None reads all.

        Returns:
          By the name of each class that occurs ("hair", or its number where classes have no names), float32 [S].

        Raises:
          UserError: a file that cannot be read, sizes that differ, or a method that does not paint from styles.
        """
        pixels, holes, classes = self._read(image, hole, labels)
        canvas = self._canvas(pixels, ~holes, classes)
        found = self._engine.read_styles(canvas.observation)[0]  # [L,S]
        present = np.unique(np.asarray(canvas.observation.labels))
        return {name: found[k] for k, name in enumerate(part_names(self.num_labels)) if k in present}

    def attention(
        self, image: Picture, hole: Picture, labels: Picture | None, points: np.ndarray
    ) -> Mapping[str, np.ndarray]:
        """What hole pixels attend to (masked attention, Fig. 4).

        Args:
          image: as in filling, like `hole` and `labels`.
          hole: where the points lie.
          labels: the label map where the method wants one.
          points: (row, column) of hole pixels, int [P,2].

        Returns:
          By the map's name, float32 [P,H,W]: the weight of every pixel, from low to high.

        Raises:
          UserError: a point outside the hole, a method without attention, or what filling would refuse.
        """
        pixels, holes, classes = self._read(image, hole, labels)
        for row, column in points:
            if not (0 <= row < holes.shape[0] and 0 <= column < holes.shape[1] and holes[row, column]):
                raise UserError(f"pixel ({column}, {row}) is not in the hole; attention is shown from hole pixels")
        canvas = self._canvas(pixels, ~holes, classes)
        found = self._engine.look(canvas.observation, canvas.inward(points)[None])  # each [1,P,h',w']
        return {name: canvas.outward(maps[0]) for name, maps in found.items()}

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
        classes = self._check_batch(image, known, labels)
        return self._engine.predict(Observation(image * known, known, classes), seed)  # type: ignore[arg-type]

    def look(
        self, pixels: np.ndarray, hole: np.ndarray, labels: np.ndarray | None = None, strategy: Strategy = "auto"
    ) -> Collage:
        """What is looked at to fill a hole bool [H,W] of a photograph uint8 [H,W,3]; labels int32 [H,W] or None."""
        return Collage.of(pixels, hole, labels if self.num_labels else None, self.size, strategy)

    def _check_batch(self, image: np.ndarray, known: np.ndarray, labels: np.ndarray | None) -> np.ndarray | None:
        """The labels for the method; refuses what `predict` does not take."""
        if image.ndim != 4 or known.shape != (*image.shape[:3], 1):
            raise ValueError(f"[B,H,W,3] and [B,H,W,1] are needed, not {image.shape} and {known.shape}")
        classes = labels if self.num_labels else None
        if self.num_labels and (classes is None or classes.shape != image.shape[:3]):
            raise ValueError(f"labels {image.shape[:3]} are needed, not {None if classes is None else classes.shape}")
        return classes

    def _read(
        self, image: Picture, hole: Picture | None, labels: Picture | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """uint8 [H,W,3], bool [H,W] and int32 [H,W] or None, all of one size."""
        pixels = read_photograph(image).pixels
        holes = np.zeros(pixels.shape[:2], bool) if hole is None else read_hole(hole)
        classes = self._read_labels(labels)
        check_size("hole", holes, pixels.shape)
        if classes is not None:
            check_size("label map", classes, pixels.shape, ", or have it resized with --resize_labels")
        return pixels, holes, classes

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

    def _plan(self, pixels: np.ndarray, holes: np.ndarray, labels: np.ndarray | None, strategy: Strategy) -> Collage:
        if strategy not in STRATEGIES:
            raise UserError(f"there is no strategy {strategy!r}; there are: {', '.join(STRATEGIES)}")
        _warn_of_unusual_holes(holes)
        collage = self.look(pixels, holes, labels, strategy)
        log.debug("looked at: %s", collage.strategy)
        return collage

    def _fill(self, collages: Sequence[Collage], seed: int, batch_size: int, feather: float) -> list[np.ndarray]:
        """All windows of all photographs, those of one shape together."""
        parts = [list(collage.canvases(self.size, self._stride)) for collage in collages]
        flat = [canvas.observation for canvases in parts for canvas in canvases]
        found = iter(predict_each(flat, lambda seen: self._engine.predict(seen, seed), batch_size))
        return [
            collage.fill(canvas.complete(next(found), feather) for canvas in canvases)
            for collage, canvases in zip(collages, parts)
        ]

    def _one(
        self,
        canvas: Canvas,
        seed: int,
        refine: str | None,
        steps: int | None,
        styles: Mapping[str, np.ndarray] | None,
    ) -> np.ndarray:
        """A prediction [h',w',3] that is refined, or painted from given styles."""
        if styles:
            painted = self._engine.paint(canvas.observation, self._exchange(canvas, styles), seed)
        else:
            painted = self._engine.refine(str(refine), canvas.observation, seed, steps).prediction.image
        return np.asarray(painted)[0]

    def _canvas(self, pixels: np.ndarray, known: np.ndarray, labels: np.ndarray | None) -> Canvas:
        return Canvas.of(pixels, known, labels, self.size, self._stride)

    def _exchange(self, canvas: Canvas, styles: Mapping[str, np.ndarray]) -> np.ndarray:
        """The photograph's own styles [1,L,S] with those of `styles` in their place."""
        own = self._engine.read_styles(canvas.observation).copy()  # [1,L,S]
        names = part_names(self.num_labels)
        for part, style in styles.items():
            if part not in names:
                raise UserError(f"there is no part {part!r}{did_you_mean(part, names)}; there are: {', '.join(names)}")
            if np.shape(style) != own.shape[2:]:
                raise UserError(f"the style of {part!r} must be {own.shape[2:]}, not {np.shape(style)}")
            own[0, names.index(part)] = style
        return own


def _warn_of_unusual_holes(hole: np.ndarray) -> None:
    share = float(hole.mean())
    if share == 0.0:
        log.warning("there is no hole: the photograph is returned as it is")
    elif share == 1.0:
        log.warning("the whole photograph is hole: everything in the answer is invented")
    elif share > LARGE_HOLE:
        log.warning("the hole takes %.0f%% of the photograph; white is the hole, is it painted in black?", 100 * share)
