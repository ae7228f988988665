"""What happens when something on the page is pressed: Gradio's values in, answers out, errors as messages."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import gradio as gr
import numpy as np
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.demo.filling import FillRequest, Session, tint
from scan_jax.demo.painting import classes_of, show, show_labels, strokes_of
from scan_jax.demo.serving import check_seed, shown
from scan_jax.images.labels import size_text
from scan_jax.inference.request import FillOptions
from scan_jax.inference.summary import WarningCollector

P = ParamSpec("P")
R = TypeVar("R")
Editor = Mapping[str, Any] | None  # background, layers and composite, Pillow images
SUFFIXES = {
    "PNG, exact": ".png",
    "WebP, exact and smaller": ".webp",
    "TIFF, exact": ".tif",
    "JPEG, known pixels change a little": ".jpg",
}
EXACT = next(iter(SUFFIXES))
NOTHING: dict[str, Any] = {"background": None, "layers": [], "composite": None}  # clears an editor


def spoken(handler: Callable[P, R]) -> Callable[P, R]:
    """A UserError becomes a message on the page and nothing else; the toolkit's warnings become notes."""

    @functools.wraps(handler)
    def speak(*args: P.args, **kwargs: P.kwargs) -> R:
        files = [value for value in (*args, *kwargs.values()) if isinstance(value, (str, os.PathLike))]
        with WarningCollector() as collector:
            try:
                return handler(*args, **kwargs)
            except UserError as error:
                message = shown(error, *files)
                raise gr.Error(message, title="This does not work yet", duration=20, print_exception=False) from error
            finally:
                for text in collector.messages:
                    gr.Warning(shown(text, *files), title="Note")

    return speak


class Handlers:
    """Of one page."""

    def __init__(self, session: Session) -> None:
        """They ask `session`, which serves one at a time."""
        self.session = session

    @spoken
    def open(
        self,
        photograph: str | None,
        hole: str | None,
        hole_color: Any,
        hole_from: str = "",
        hole_tolerance: float | None = 0,
        grow: float | None = 0,
    ) -> tuple[Any, str]:
        """An uploaded photograph, without strokes, the hole that it comes with tinted, for the editor; and a line."""
        if photograph is None:
            return NOTHING, ""
        how = reading(hole_from, hole_tolerance, grow)
        read, found = self.session.read_hole(FillRequest(photograph, None, hole, hole_color, options=how))
        note = f"{size_text(found.shape)} pixels. Paint over what should be filled."
        if not found.any():
            return background(show(read.pixels)), note
        return background(tint(read.pixels, found)), f"{note} What is tinted belongs to the hole already."

    @spoken
    def fill(
        self,
        photograph: str | None,
        painted: Editor = None,
        hole: str | None = None,
        hole_color: Any = "white",
        seed: float | None = 0,
        strategy: Any = "auto",
        blend: Any = "auto",
        model: str = "",
        detail: list[str] | None = None,
        file_type: str = EXACT,
        hole_from: str = "",
        hole_tolerance: float | None = 0,
        grow: float | None = 0,
        labels: str | None = None,
        painted_labels: Editor = None,
        reference: str | None = None,
        reference_labels: str | None = None,
        parts: list[str] | None = None,
        amount: float = 1,
        steps: float = 0,
    ) -> tuple[Any, ...]:
        """Fills the hole: before and after, the files of the result and of the hole, and a line about them."""
        search: dict[str, Any] = {"refine": "style_search", "steps": int(steps)} if steps else {}
        options = dataclasses.replace(
            reading(hole_from, hole_tolerance, grow),
            seed=check_seed(seed),
            strategy=strategy,
            blend=blend,
            texture="texture" in (detail or ()),
            grain="grain" in (detail or ()),
            style_parts=tuple(parts or ()),
            style_amount=float(amount),
            **search,
        )
        request = dataclasses.replace(
            self._request(photograph, painted, hole, hole_color, labels, painted_labels),
            reference=reference,
            reference_labels=reference_labels,
            options=options,
            model=model or "",
            suffix=SUFFIXES.get(file_type, file_type),
        )
        *files, note = self.session.fill(request)
        before, after, result, hole_file = map(str, files)
        downloads = (gr.DownloadButton(value=file, interactive=True) for file in (result, hole_file))
        return (before, after), *downloads, note

    @spoken
    def open_labels(self, labels: str | None) -> Any:
        """Shows an uploaded label map in colours; what was painted on it is gone."""
        if labels is None:
            return NOTHING
        return background(show_labels(self.session.read_labels(labels), self.session.inpainter.num_labels))

    @spoken
    def prepare_look(
        self, photograph: str | None, painted: Editor, hole: str | None, hole_color: Any, *how: Any
    ) -> tuple[np.ndarray, None, str]:
        """The photograph with its hole tinted, to click on; `how` is what `reading` takes."""
        request = dataclasses.replace(self._request(photograph, painted, hole, hole_color), options=reading(*how))
        read = self.session.read(request, labelled=False)
        return tint(read.photograph.pixels, read.hole), None, "Now click a pixel of the hole."

    @spoken
    def look(
        self,
        event: gr.SelectData,
        photograph: str | None,
        painted: Editor,
        hole: str | None,
        hole_color: Any,
        labels: str | None,
        painted_labels: Editor,
        *how: Any,
    ) -> tuple[list[tuple[np.ndarray, str]], str]:
        """What the clicked pixel attends to; `how` is what `reading` takes."""
        x, y = event.index
        request = self._request(photograph, painted, hole, hole_color, labels, painted_labels)
        request = dataclasses.replace(request, options=reading(*how))
        pictures = self.session.attention(request, (float(x), float(y)))
        return [(picture, name) for name, picture in pictures.items()], "Red is most, blue least; the diamond looks."

    def _request(
        self,
        photograph: str | None,
        painted: Editor,
        hole: str | None,
        hole_color: Any,
        labels: str | None = None,
        painted_labels: Editor = None,
    ) -> FillRequest:
        count = self.session.inpainter.num_labels
        strokes, over = ([*editor["layers"]] if editor else [] for editor in (painted, painted_labels))
        classes = classes_of(over, count) if count else None
        return FillRequest(photograph, strokes_of(strokes), hole, hole_color, labels, classes)


def reading(hole_from: str | None = "", hole_tolerance: float | None = 0, grow: float | None = 0) -> FillOptions:
    """How a hole is read, from the page's fields, which may be empty."""
    return FillOptions(
        hole_from=(hole_from or "").strip(), hole_tolerance=int(hole_tolerance or 0), grow=int(grow or 0)
    )


def background(pixels: np.ndarray) -> dict[str, Any]:
    """An editor's value with nothing painted yet."""
    return {"background": Image.fromarray(pixels), "layers": [], "composite": None}
