"""What happens when something on the page is pressed: Gradio's values in, answers out, errors as messages."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import gradio as gr
import numpy as np
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.demo.disk import owner_of
from scan_jax.demo.filling import Filled, FillRequest, Session, tint
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
TITLE = "This does not work yet"
GREY: dict[str, Any] = {"value": None, "interactive": False}
NO_RESULT = (None, gr.DownloadButton(**GREY), gr.DownloadButton(**GREY), "")  # clears the right column


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
                raise gr.Error(message, title=TITLE, duration=20, print_exception=False) from error
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
        self, visitor: gr.Request, photograph: str | None, hole: str | None, hole_color: Any, painted: Editor, *how: Any
    ) -> tuple[Any, str]:
        """The photograph with the hole that it comes with tinted, and its strokes, for the editor; and a line.

        `how` is what `reading` takes.
        """
        request = FillRequest(photograph, None, hole, hole_color, owner=owner(visitor))
        return self._show(request, how, painted) if photograph else (NOTHING, "")

    @spoken
    def open_new(
        self, visitor: gr.Request, photograph: str | None, hole: str | None, hole_color: Any, *how: Any
    ) -> tuple[Any, ...]:
        """Another photograph: its file, the hole's, the editor's value, a line, and no result any more.

        A photograph that cannot be read leaves nothing of the one before, and a hole that is another's is put aside.
        """
        bare = FillRequest(photograph, owner=owner(visitor))
        said = ""
        for request, asked in ((dataclasses.replace(bare, hole=hole, hole_color=hole_color), how), (bare, ())):
            try:
                return photograph, request.hole, *self._show(request, asked), *NO_RESULT
            except UserError as error:
                if said != (said := shown(error, photograph, hole)):
                    gr.Warning(said, title=TITLE, duration=20)
        return None, None, NOTHING, "", *NO_RESULT

    @spoken
    def go_on(self, visitor: gr.Request, result: str | None) -> tuple[Any, ...]:
        """The same of a result, which is taken for the photograph."""
        if result is None:
            raise UserError("there is no result to go on from yet: press Fill first")
        return result, None, *self._show(FillRequest(result, owner=owner(visitor)), ()), *NO_RESULT

    def _show(self, request: FillRequest, how: tuple[Any, ...], painted: Editor = None) -> tuple[Any, str]:
        """The editor's value, and a line."""
        read, found = self.session.read_hole(dataclasses.replace(request, options=reading(*how)))
        note = f"{size_text(found.shape)} pixels. Paint over what should be filled."
        if found.any():
            note = f"{note} What is tinted belongs to the hole already."
        pixels = tint(read.pixels, found) if found.any() else show(read.pixels)
        layers = [np.asarray(layer.convert("RGBA")) for layer in (painted or NOTHING)["layers"]]
        return background(*(self.session.keep(picture, request.owner) for picture in (pixels, *layers))), note

    def fill(
        self,
        visitor: gr.Request,
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
    ) -> Iterator[tuple[Any, ...]]:
        """Fills the hole: before and after, the files of the result and of the hole, and a line about them.

        While a search for styles runs, what the network makes without it is to be seen.
        """
        files = (photograph, hole, labels, reference, reference_labels)
        how = (hole_from, hole_tolerance, grow)
        search: dict[str, Any] = {"refine": "style_search", "steps": int(steps)} if steps else {}
        detail = detail or []
        chosen: dict[str, Any] = {"strategy": strategy, "blend": blend, "style_parts": tuple(parts or ())}
        chosen |= {"texture": "texture" in detail, "grain": "grain" in detail, "style_amount": float(amount)}

        @spoken
        def answer(*files: str | None, **search: Any) -> tuple[Any, ...]:
            options = dataclasses.replace(reading(*how), seed=check_seed(seed), **chosen, **search)
            request = dataclasses.replace(
                self._request(photograph, painted, hole, hole_color, labels, painted_labels),
                reference=reference,
                reference_labels=reference_labels,
                options=options,
                model=model or "",
                suffix=SUFFIXES.get(file_type, file_type),
                owner=owner(visitor),
            )
            return downloads(self.session.fill(request))

        if search:
            *preview, note = answer(*files)
            yield *preview, f"A preview: {note}. The search for better styles goes on."
        yield answer(*files, **search)

    @functools.wraps(fill)
    def fill_at_once(self, *given: Any) -> tuple[Any, ...]:
        """The same without a preview, which costs Gradio a second round."""
        return list(self.fill(*given))[-1]

    @spoken
    def open_labels(self, visitor: gr.Request, labels: str | None) -> Any:
        """Shows an uploaded label map in colours; what was painted on it is gone."""
        if labels is None:
            return NOTHING
        seen = show_labels(self.session.read_labels(labels), self.session.inpainter.num_labels)
        return background(self.session.keep(seen, owner(visitor)))

    @spoken
    def prepare_look(
        self,
        visitor: gr.Request,
        photograph: str | None,
        painted: Editor,
        hole: str | None,
        hole_color: Any,
        *how: Any,
    ) -> tuple[str, None, str]:
        """The photograph with its hole tinted, to click on; `how` is what `reading` takes."""
        request = dataclasses.replace(self._request(photograph, painted, hole, hole_color), options=reading(*how))
        read = self.session.read(request, labelled=False)
        seen = self.session.keep(tint(read.photograph.pixels, read.hole), owner(visitor))
        return seen, None, "Now click a pixel of the hole."

    @spoken
    def look(
        self,
        visitor: gr.Request,
        event: gr.SelectData,
        photograph: str | None,
        painted: Editor,
        hole: str | None,
        hole_color: Any,
        labels: str | None,
        painted_labels: Editor,
        *how: Any,
    ) -> tuple[list[tuple[str, str]], str]:
        """What the clicked pixel attends to; `how` is what `reading` takes."""
        x, y = event.index
        request = self._request(photograph, painted, hole, hole_color, labels, painted_labels)
        request = dataclasses.replace(request, options=reading(*how))
        pictures = self.session.attention(request, (float(x), float(y)))
        kept = [(self.session.keep(picture, owner(visitor)), name) for name, picture in pictures.items()]
        return kept, "Red is most, blue least; the diamond looks."

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


def background(picture: Image.Image | str, *layers: str) -> dict[str, Any]:
    """An editor's value; what is painted lies on the layers."""
    return {"background": picture, "layers": [*layers], "composite": None}


def downloads(filled: Filled) -> tuple[Any, ...]:
    """What the right column shows of a result."""
    before, after, *files = map(str, filled[:4])
    return (before, after), *(gr.DownloadButton(value=file, interactive=True) for file in files), filled.note


def owner(visitor: gr.Request) -> str:
    """Who is charged for what is written for a visitor."""
    return owner_of(visitor.client.host)
