"""Ways to fill a hole that need no training: two equations, OpenCV's two, and patches; the first also hides seams."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import jax
import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.core.progress import tells_of_compiling
from scan_jax.core.types import Array
from scan_jax.inference import kept
from scan_jax.inference.engine import predict_each
from scan_jax.inference.tiling import Layer, Tiles, Window, to_bytes
from scan_jax.ops import smooth_fill

RADIUS = 3  # pixels around the hole that OpenCV looks at
PATCH_RADIUS = 3  # of PatchMatch, so 7x7 pixels, as in the package's examples; its default is 15
GREY = 128  # where there is nothing to start from
REACH = 3  # known pixels around a hole that an equation needs: two, and one to spare
GRID = 32  # windows begin at multiples of it, so that multigrid has the same cells in them as in the whole photograph
# Sides of padded windows; each shape is compiled, which takes longer than filling too large a one.
MIN_SIDE, SQUARE = 128, 512

# Image, known and inside [1,h,w,.], limits [1,2,3].
PaddedWindow = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Way:
    """A way to fill holes without a network, at the photograph's own resolution."""

    computed_by: tuple[str, ...]  # what its fillings depend on besides the photograph and the hole

    def check_installed(self) -> None:
        """UserError where a package is missing that it needs."""

    def __call__(self, photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Fills one photograph.

        Args:
          photograph: uint8 [H,W,3]; what it holds in the hole is not used.
          hole: bool [H,W].

        Returns:
          uint8 [H,W,3], the photograph itself outside the hole; mid-grey where there is nothing to start from.

        Raises:
          ValueError: another type or unequal sizes.
        """
        check(photograph, hole)
        return self.fill([self.look(photograph, hole)], 1)[0]

    def look(self, photograph: np.ndarray, hole: np.ndarray, unseen: np.ndarray | None = None) -> Tiles:
        """What it needs to see of a photograph; arguments as to fill it, `unseen` as of `Tiles`."""
        windows = self._windows(hole if unseen is None else hole | unseen) if hole.any() else ()
        windows = tuple(window for window in windows if hole[window.slices].any())
        return Tiles(photograph, hole, None, (Layer(hole, windows),) if windows else (), unseen)

    def fill(self, tiles: Sequence[Tiles], batch_size: int) -> list[np.ndarray]:
        """Photographs of any sizes as `look` has them, `batch_size` windows at a time: uint8 [H,W,3] each."""
        raise NotImplementedError

    def _windows(self, hole: np.ndarray) -> tuple[Window, ...]:
        return (Window(0, 0, *hole.shape),)


class ByLibrary(Way):
    """By another package's function, which sees the whole photograph, zero in the hole."""

    def fill(self, tiles: Sequence[Tiles], batch_size: int) -> list[np.ndarray]:
        """One after the other."""
        del batch_size
        return [
            np.where(each.hole[..., None], self._fill_one(each.pixels, each.unknown), each.pixels) for each in tiles
        ]

    def _fill_one(self, photograph: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        if unknown.all():
            return np.full_like(photograph, GREY)
        visible = np.where(unknown[..., None], np.uint8(0), photograph)  # [H,W,3]
        return self.inpaint(visible, unknown.astype(np.uint8))

    def inpaint(self, visible: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """uint8 [H,W,3] and [H,W], 1 in the hole -> uint8 [H,W,3]."""
        raise NotImplementedError


class ByOpenCV(ByLibrary):
    """OpenCV's inpainting."""

    def __init__(self, flag: int) -> None:
        """By its flag, such as `cv2.INPAINT_NS`."""
        self.flag, self.computed_by = flag, (f"OpenCV {cv2.__version__}", f"radius {RADIUS}")

    def inpaint(self, visible: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """As of `ByLibrary`."""
        return cv2.inpaint(visible, hole, RADIUS, self.flag)


class ByPatchMatch(ByLibrary):
    """The completion of Barnes et al. 2009, by the package pypatchmatch, which few need and so must be added."""

    @functools.cached_property
    def computed_by(self) -> tuple[str, ...]:  # type: ignore[override]
        """Its version."""
        found = importlib.util.find_spec("patchmatch") is not None
        version = importlib.metadata.version("pypatchmatch") if found else "not installed"
        return f"pypatchmatch {version}", f"patches of {2 * PATCH_RADIUS + 1} pixels"

    def check_installed(self) -> None:
        """UserError with the line that installs it."""
        if importlib.util.find_spec("patchmatch") is None:
            raise UserError('patchmatch needs the package pypatchmatch: pip install "scan_jax[patchmatch]"')

    def inpaint(self, visible: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """As of `ByLibrary`; the package begins each search with the same seed."""
        self.check_installed()
        import patchmatch

        return np.asarray(patchmatch.inpaint(visible, hole, patch_size=PATCH_RADIUS))


@dataclasses.dataclass(frozen=True)
class ByEquation(Way):
    """The harmonic or the biharmonic equation; beyond the surroundings of a part of the hole nothing matters."""

    equation: smooth_fill.Equation  # how it is solved
    solve: Callable[..., Array]  # one of `ops.smooth_fill`

    @property
    def computed_by(self) -> tuple[str, ...]:  # type: ignore[override]
        """How often it is iterated, and the code that does it, so that no change of it goes unnoticed."""
        code = hashlib.sha256(Path(str(smooth_fill.__file__)).read_bytes()).hexdigest()
        return "multigrid", f"{self.equation.cycles} cycles at most", f"solver {code[:12]}"

    def fill(self, tiles: Sequence[Tiles], batch_size: int) -> list[np.ndarray]:
        """Windows that have one shape once padded share batches."""
        padded = [window for each in tiles for window in _padded_windows(each)]
        found = iter(predict_each(padded, lambda seen: self.run(*jax.device_put(seen)), batch_size))
        filled = [each.pixels.copy() for each in tiles]
        for each, one in zip(tiles, filled):
            each.write_hole(0, one, _cut(each, found))
        return filled

    def _windows(self, hole: np.ndarray) -> tuple[Window, ...]:
        return apart(hole, REACH, GRID)

    def fill_batch(self, photographs: np.ndarray, holes: np.ndarray) -> np.ndarray:
        """All of photographs of one size at once: uint8 [B,H,W,3] with bool [B,H,W] to uint8 [B,H,W,3]."""
        known = ~holes[..., None]  # [B,H,W,1]
        image = _to_float(photographs) * known  # [B,H,W,3]
        filled = jax.device_get(self.run(*jax.device_put((image, known.astype(np.float32)))))
        return np.where(known, photographs, to_bytes(filled))

    @functools.cached_property
    def run(self) -> Callable[..., Array]:
        """Of what a `PaddedWindow` has; the last two are optional."""

        def solve(image: Array, known: Array, inside: Array | None = None, limits: Array | None = None) -> Array:
            return self.solve(image, known, self.equation.cycles, inside=inside, limits=limits)

        follows_from = {"equation": str(self.equation), "by": f"{self.solve.__module__}.{self.solve.__qualname__}"}
        program = kept.Program(solve, lambda: kept.place_of(type(self), follows_from))
        return tells_of_compiling("the equation", program)


def _with_an_end(hole: np.ndarray, border: np.ndarray) -> np.ndarray:
    """The parts of a hole that touch its border, bool [h,w]: a membrane that is held nowhere has no shape."""
    _, parts = cv2.connectedComponents((hole | border).astype(np.uint8), connectivity=4)  # [h,w]
    return hole & np.isin(parts, np.unique(parts[border]))


def check(photograph: np.ndarray, hole: np.ndarray) -> None:
    """Refuses what is not uint8 [H,W,3] and bool [H,W], by a ValueError."""
    if photograph.dtype != np.uint8 or photograph.ndim != 3 or hole.dtype != bool or hole.shape != photograph.shape[:2]:
        raise ValueError(f"uint8 [H,W,3] and bool [H,W] are needed, not {photograph.shape}, {hole.shape} {hole.dtype}")


def _to_float(image: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1]."""
    return image.astype(np.float32) / np.float32(255)


def apart(hole: np.ndarray, reach: int, grid: int) -> tuple[Window, ...]:
    """Windows that do not overlap, each around parts of the hole that reach into no other.

    Args:
      hole: bool [H,W] with a True in it.
      reach: pixels around a part that are in its window, where the photograph has as many.
      grid: windows begin and end at multiples of it, or where the photograph ends.
    """
    sides = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    near = np.asarray(cv2.dilate(hole.astype(np.uint8), sides))  # [H,W]
    near = np.pad(near, [(0, -length % grid) for length in hole.shape])
    cells: Any = near.reshape(near.shape[0] // grid, grid, -1, grid).any(axis=(1, 3)).astype(np.uint8)  # [h,w]
    while True:
        parts = cv2.connectedComponentsWithStats(cells, connectivity=8)[2][1:]  # [n,5]: left, top, width, height, area
        for left, top, width, height, _ in parts:
            cells[top : top + height, left : left + width] = 1
        if cells.sum() == parts[:, 4].sum():  # every part was a rectangle already
            return tuple(_enlarged(part, grid, hole.shape) for part in parts.tolist())


def _enlarged(part: Sequence[int], grid: int, shape: tuple[int, ...]) -> Window:
    """Cells (left, top, width, height, area) as pixels, where the photograph has them."""
    left, top, width, height = (grid * number for number in part[:4])
    return Window(top, left, min(height, shape[0] - top), min(width, shape[1] - left))


def _padded_windows(tiles: Tiles) -> Iterator[PaddedWindow]:
    """Each window, padded, with the lowest and the highest value that is known in the whole photograph."""
    known = ~tiles.unknown
    limits = _limits(tiles.pixels, known)
    for window in tiles.windows:
        seen = known[window.slices][..., None]  # [h,w,1]
        image = _to_float(tiles.pixels[window.slices]) * seen  # [h,w,3]
        arrays, shape = (image, seen.astype(np.float32), np.ones(seen.shape, np.float32)), _shape(window)
        yield *(_pad(array, shape)[None] for array in arrays), limits[None]  # type: ignore[misc]


def _limits(photograph: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The lowest and the highest known value of each channel, float32 [2,3]; 0 and 1 where nothing is known."""
    if not known.any():
        return np.repeat(np.array([[0.0], [1.0]], np.float32), photograph.shape[2], axis=1)
    mask = known.astype(np.uint8)  # OpenCV's word; ten times as fast as NumPy's reductions with `where`
    channels = (cv2.extractChannel(photograph, channel) for channel in range(photograph.shape[2]))
    return np.array([cv2.minMaxLoc(channel, mask)[:2] for channel in channels], np.float32).T / np.float32(255)


def _cut(tiles: Tiles, found: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """What was found for each of its windows, without the padding."""
    for window in tiles.windows:
        yield next(found)[: window.height, : window.width]


def _shape(window: Window) -> tuple[int, int]:
    """Of it when padded: a square where it is small, so that there are few shapes."""
    longest = _side(max(window.height, window.width))
    least = min(SQUARE, longest)
    return max(least, _side(window.height)), max(least, _side(window.width))


def _side(length: int) -> int:
    """128, 256, 512, 768, 1024, 1536, 2048, ...: the first that is not less."""
    side = MIN_SIDE
    while side < length:
        side *= 2
    return side * 3 // 4 if side > SQUARE and side * 3 // 4 >= length else side


def _pad(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[h,w,C] with zeros at the bottom and right."""
    return np.pad(array, ((0, shape[0] - array.shape[0]), (0, shape[1] - array.shape[1]), (0, 0)))


MEMBRANE = ByEquation(smooth_fill.HARMONIC, smooth_fill.harmonic_fill)
WAYS: dict[str, Way] = {
    "harmonic": MEMBRANE,
    "biharmonic": ByEquation(smooth_fill.BIHARMONIC, smooth_fill.biharmonic_fill),
    "navier_stokes": ByOpenCV(cv2.INPAINT_NS),  # Bertalmio, Bertozzi and Sapiro 2001
    "telea": ByOpenCV(cv2.INPAINT_TELEA),  # Telea 2004
    "patchmatch": ByPatchMatch(),
}


def meet_border(prediction: np.ndarray, pixels: np.ndarray, hole: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Shifts a prediction so that it meets the known pixels around the hole (Poisson image editing, Perez et al. 2003).

    What it is off by at the hole's border goes on into the hole as a membrane; but for that, the differences between
    neighbours stay as they were.

    Args:
      prediction: float32 [h,w,3], of the hole and the pixels beside it.
      pixels: uint8 [h,w,3]; what it holds in the hole makes no difference.
      hole: bool [h,w].
      known: bool [h,w], the pixels outside the hole at which there is a prediction.

    Returns:
      float32 [h,w,3]; the prediction itself where no known pixel lies beside the hole.
    """
    sides = np.ones((3, 3), np.uint8)
    border = np.asarray(cv2.dilate(hole.astype(np.uint8), sides)).astype(bool) & known  # [h,w]
    hole = _with_an_end(hole, border)
    off = np.where(border[..., None], _to_float(pixels) - prediction, np.float32(0))  # [h,w,3]
    met = prediction.copy()
    for window in apart(hole, REACH, GRID) if hole.any() else ():
        place, shape = window.slices, _shape(window)
        ends, inside = border[place], hole[place]  # [h',w'] both
        if ends.any():
            limits = np.stack([off[place][ends].min(axis=0), off[place][ends].max(axis=0)])  # [2,3]
            arrays = (off[place], *(part[..., None].astype(np.float32) for part in (ends, ends | inside)))
            seen = (*(_pad(array, shape)[None] for array in arrays), limits[None])
            membrane = np.asarray(MEMBRANE.run(*jax.device_put(seen)))[0]
            met[place][inside] += membrane[: window.height, : window.width][inside]
    return met
