"""What the page asks of the network: a session that fills one photograph at a time, and knows nothing of browsers."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import CONFIG, read_sections
from scan_jax.demo.disk import Disk
from scan_jax.demo.painting import repaint, show, shown_shape, to_photograph
from scan_jax.demo.serving import Limits, check_image, check_upload
from scan_jax.images.contact_sheet import TINT
from scan_jax.images.hole import HoleColor, grow_hole, read_hole
from scan_jax.images.labels import read_labels, resize, resize_like, size_text
from scan_jax.images.own_hole import own_hole
from scan_jax.images.photograph import Photograph, check_output, read_photograph, write_photograph
from scan_jax.inference.inpainter import PACKAGED, Inpainter
from scan_jax.inference.request import FillOptions, Request, check_size
from scan_jax.inference.ways import WAYS
from scan_jax.weights import registry


@dataclasses.dataclass(frozen=True)
class FillRequest:
    """What one person asks for; files are None where nothing was uploaded."""

    photograph: str | None
    painted: np.ndarray | None = None  # bool [h,w] at the size of `painting.show`, the hole that was painted
    hole: str | None = None  # an image of the hole, to which `painted` is added
    hole_color: HoleColor = "white"
    labels: str | None = None
    classes: np.ndarray | None = None  # int32 [h,w], what was painted over the label map
    reference: str | None = None  # a photograph to take styles from
    reference_labels: str | None = None
    options: FillOptions = dataclasses.field(default_factory=FillOptions)
    model: str = ""  # one of `Session.models`; the page's own network without any
    suffix: str = ".png"  # of the result's file
    owner: str = ""  # who is charged for what is written


class Filled(NamedTuple):
    """Files of a result, and one line about it."""

    before: Path  # the photograph as the browser shows it
    after: Path  # the result, likewise
    result: Path  # at the photograph's own size, with its metadata
    hole: Path  # white where it was filled, at that size
    note: str


def _imported() -> tuple[str, ...]:
    """The published networks that were imported and take no label map."""
    sections = {name: read_sections(at / CONFIG, "import it anew") for name, at in registry.imported_bundles().items()}
    return tuple(name for name, config in sections.items() if not config.get("method", {}).get("num_labels"))


OPEN = "open_photographs/2048"
SOURCES = {  # by `config.data.name`, or its data set
    "synthetic_portraits": "drawn portraits only",
    "celeba_hq": "photographs of faces only (CelebA-HQ)",
    "celebamask_hq": "photographs of faces only (CelebAMask-HQ)",
    "paris_street_view": "photographs of streets in Paris only",
    "photo_folder": "photographs of one's own",
    "labelled_folder": "photographs of one's own, with label maps",
    OPEN: "openly licensed photographs of all kinds",
}


class Session:
    """The network, which serves one at a time, those that may take its place, and the folder where results lie."""

    def __init__(self, inpainter: Inpainter, limits: Limits, folder: Path) -> None:
        """What the limits do not allow any more is thrown away when something new is written."""
        self.inpainter, self.limits, self.folder, self.disk = inpainter, limits, folder, Disk(limits)
        self._imported = _imported()
        self.models = (*PACKAGED, *self._imported, *WAYS)  # what takes the network's place
        self._lock = threading.Lock()
        self._loaded = {"": inpainter}

    def origin(self, model: str = "") -> str:
        """What one of `models`, or the page's own network, learned from, in a few words; the method where nothing."""
        name = model or self.inpainter.about.get("method", "")
        if name in WAYS:
            return f"{name}: not trained, it goes by the photograph alone."
        if model in self._imported:
            return f"Public weights of {model}, as they were imported; docs/compared.md says whose."
        source = OPEN if model else self.inpainter.about.get("data")
        if not source:
            return "What this was trained on is not noted in it."
        return f"Trained on {SOURCES.get(source, source)}."

    def read_photograph(self, path: str | None) -> Photograph:
        """An uploaded photograph; UserError where there is none, or it cannot be read."""
        if path is None:
            raise UserError("there is no photograph yet: upload one, or take the example")
        check_upload(path, "the photograph")
        return read_photograph(path, self.limits.pixels)

    def read_labels(self, path: str | None, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """An uploaded label map: int32 [H,W], at the size of a photograph of `shape` where that is given.

        Raises:
          UserError: there is none, it cannot be read, or it has other classes or proportions.
        """
        count = self.inpainter.num_labels
        if path is None:
            raise UserError(
                f"this network needs a label map: upload a PNG whose pixel values are the classes 0 to {count - 1}"
            )
        check_image(path, "the label map", self.limits)
        labels = read_labels(path, count)
        return labels if shape is None else resize_like(labels, shape, f"the label map {path}")

    def read(self, request: FillRequest, *, labelled: bool = True) -> Request:
        """The photograph, all that is to be filled, and the labels unless `labelled` is False.

        Raises:
          UserError: something is missing or cannot be read, or there is no hole.
        """
        photograph, hole = self.read_hole(request)
        if not hole.any():
            raise UserError("there is no hole: paint over what should be filled, or upload an image of the hole")
        labels = None
        if labelled and self.inpainter.num_labels:
            labels = repaint(self.read_labels(request.labels, hole.shape), request.classes)
        return Request(photograph, hole, labels)

    def read_hole(self, request: FillRequest) -> tuple[Photograph, np.ndarray]:
        """The photograph, and all that is to be filled of it, bool [H,W]: of uploads, strokes, and its own.

        Raises:
          UserError: something cannot be read, or the hole is not of the photograph's size.
        """
        photograph, options = self.read_photograph(request.photograph), request.options
        shape = photograph.pixels.shape[:2]
        hole = np.zeros(shape, bool)
        if request.hole is not None:
            check_upload(request.hole, "the hole")
            uploaded = read_hole(request.hole, request.hole_color, self.limits.pixels)
            check_size("hole", uploaded, shape, ", or paint the hole here")
            hole |= uploaded
        if options.hole_from:
            hole |= own_hole(photograph, options.hole_from, options.hole_tolerance)
        if request.painted is not None:
            hole |= to_photograph(request.painted, shape)
        return photograph, grow_hole(hole, options.grow)

    def fill(self, request: FillRequest) -> Filled:
        """Fills, and writes the result; UserError is whatever the person can put right."""
        check_output(Path(f"result{request.suffix}"))
        if request.model not in ("", *self.models):
            near = did_you_mean(request.model, self.models)
            raise UserError(f"there is no model {request.model!r}{near}; there are: {', '.join(self.models)}")
        read, options = self.read(request, labelled=not request.model), self._with_reference(request)
        with self._lock:
            if request.model not in self._loaded:
                self._loaded[request.model] = Inpainter.load(request.model)
            inpainter = self._loaded[request.model]
            start = time.perf_counter()
            (pixels,) = inpainter.fill([inpainter.plan(read, options)], options)
        took, share = time.perf_counter() - start, 100 * float(read.hole.mean())
        note = f"{size_text(read.hole.shape)} pixels, {share:.1f}% of them hole, filled in {took:.1f} s"
        return self._write(request, read, pixels, f"{note} at {time.strftime('%H:%M:%S')}")  # tells results apart

    def attention(self, request: FillRequest, point: tuple[float, float]) -> dict[str, np.ndarray]:
        """What a hole pixel attends to, over the photograph as it is shown: by the map's name, uint8 [h,w,3].

        `point` is (x, y) on the shown photograph; the nearest pixel of the hole is meant, for strokes are thin. A
        UserError where that is far off, or the method has no attention.
        """
        from scan_jax.evaluation.run_pictures import overlay  # loads Matplotlib, which most pages never need

        read = self.read(request)
        pixels = read.photograph.pixels
        seen = show(np.where(read.hole[..., None], np.uint8(0), pixels)) / np.float32(255)  # [h,w,3]
        scale = np.array(pixels.shape[:2]) / np.array(seen.shape[:2])  # [2]
        place = _nearest(read.hole, np.array([point[1], point[0]]) * scale)  # row, column
        spot = (place + 0.5) / scale
        with self._lock:
            maps = self.inpainter.attention(_with_unseen(read.photograph), read.hole, read.labels, place[None])
        pictures = {name: overlay(seen, resize(one[0], seen.shape[:2]), spot) for name, one in maps.items()}
        return {name: np.round(255 * picture.clip(0, 1)).astype(np.uint8) for name, picture in pictures.items()}

    def _with_reference(self, request: FillRequest) -> FillOptions:
        """The options with the uploaded reference, read within the page's limits."""
        if request.reference is None and request.reference_labels is None:
            return request.options
        if request.reference is None or request.reference_labels is None:
            raise UserError("a style reference is a photograph and its label map: upload both, or none")
        pixels = _with_unseen(self.read_photograph(request.reference))
        labels = self.read_labels(request.reference_labels, pixels.shape[:2])
        return dataclasses.replace(request.options, style_from=pixels, style_labels=labels)

    def _write(self, request: FillRequest, read: Request, pixels: np.ndarray, note: str) -> Filled:
        """Into a new folder."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        stem = Path(str(request.photograph)).stem[:60] or "photograph"
        before, after, hole = folder / "before.png", folder / "after.png", folder / f"{stem}_hole.png"
        result = folder / f"{stem}_filled{request.suffix}"
        write_photograph(result, pixels, read.photograph, read.hole)
        Image.fromarray(show(read.photograph.pixels)).save(before)
        Image.fromarray(show(pixels)).save(after)
        Image.fromarray(np.where(read.hole, np.uint8(255), np.uint8(0))).save(hole)
        self.disk.note(request.owner, (before, after, result, hole))
        return Filled(before, after, result, hole, note)

    def keep(self, pixels: np.ndarray, owner: str) -> str:
        """Writes a picture uint8 [h,w,3] that the browser shows, and returns its path."""
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "shown.png"
        Image.fromarray(pixels).save(path)
        self.disk.note(owner, [path])
        return str(path)


def _with_unseen(photograph: Photograph) -> np.ndarray:
    """As an array for `Inpainter`: uint8 [H,W,3], or [H,W,4] where some of it is transparent."""
    if photograph.visible is None:
        return photograph.pixels
    return np.dstack([photograph.pixels, np.where(photograph.visible, np.uint8(255), np.uint8(0))])


def _nearest(hole: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The pixel of the hole bool [H,W] nearest to (row, column): int [2]; that place itself where it is far off."""
    inside = np.argwhere(hole)  # [n,2]
    off = np.linalg.norm(inside + 0.5 - place, axis=1)  # [n]
    near = off.min() <= max(1.0, 0.05 * min(hole.shape))  # a click close beside the hole still means it
    return inside[off.argmin()] if near else np.clip(place.astype(int), 0, np.array(hole.shape) - 1)


def tint(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The photograph as it is shown, with the hole in one colour: uint8 [H,W,3], bool [H,W] -> uint8 [h,w,3]."""
    colour = np.round(255 * np.array(TINT)).astype(np.uint8)  # [3]
    height, width = shown_shape(photograph.shape)
    inside = np.asarray(Image.fromarray(hole).resize((width, height), Image.Resampling.NEAREST))  # [h,w]
    return np.where(inside[..., None], colour, show(photograph))
