"""The page's part for networks that are conditioned on a label map: the map, styles of parts, attention."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from scan_jax.demo import look
from scan_jax.demo.example import Example
from scan_jax.demo.handlers import Handlers, background
from scan_jax.demo.painting import show_labels
from scan_jax.images.palette import part_names


@dataclasses.dataclass(frozen=True)
class Labels:
    """Its components."""

    file: Any
    editor: Any
    reference: Any
    reference_labels: Any
    parts: Any
    amount: Any
    steps: Any
    fill: Any
    prepare: Any
    spot: Any
    maps: Any
    note: Any

    @property
    def for_filling(self) -> list[Any]:
        """The last inputs of `Handlers.fill`."""
        return [
            *(self.file, self.editor, self.reference, self.reference_labels),
            *(self.parts, self.amount, self.steps),
        ]


def place(num_labels: int, example: Example | None) -> Labels:
    """Puts the components below the photograph."""
    gr.HTML(
        '<div class="section"><h2>Label map</h2><p>What lies where, a colour for each class. The hole is filled with '
        "what the map says there: repaint it, and fill again.</p></div>"
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            editor = _editor(num_labels, example)
            style = _place_style(num_labels, example)
        with gr.Column(min_width=320):
            gr.HTML(look.legend(num_labels))
            file = gr.UploadButton(
                "Upload a label map", value=str(example.labels) if example else None, elem_id="labels",
            )  # fmt: skip
            gr.Markdown(f"A PNG whose pixel values are the classes 0 to {num_labels - 1}.", elem_classes="quiet")
            fill = gr.Button("Fill with these labels", variant="primary", size="lg", elem_id="fill_labels")
            prepare, spot, maps, note = _place_attention()
    return Labels(file, editor, *style, fill, prepare, spot, maps, note)


def _editor(num_labels: int, example: Example | None) -> Any:
    colours = look.hexadecimal(num_labels)
    return gr.ImageEditor(
        value=first_value(num_labels, example), label="Label map", elem_id="label_painter", type="pil", sources=(),
        transforms=(), layers=False, eraser=gr.Eraser(default_size=24), height=560, canvas_size=(512, 512),
        brush=gr.Brush(default_size=24, colors=list(colours), default_color=colours[-1], color_mode="fixed"),
        format="png", buttons=["fullscreen"], placeholder="# Upload a label map first",
    )  # fmt: skip


def _place_style(num_labels: int, example: Example | None) -> tuple[Any, Any, Any, Any, Any]:
    """A reference photograph, its labels, parts, amount; and the style search."""
    with gr.Accordion("Style", open=False, elem_id="style"):
        gr.Markdown("Paint parts in the style of another photograph, or search the best style for this one.")
        reference = gr.File(label="Reference photograph", elem_id="reference", height=150)
        reference_labels = gr.File(label="Its label map", elem_id="reference_labels", height=150)
        if example and example.reference:
            files = [str(example.reference), str(example.reference_labels)]
            gr.Button("Take a drawn portrait as reference", elem_id="take_reference").click(
                lambda: files, None, [reference, reference_labels], api_visibility="private"
            )
        parts = gr.Dropdown(
            list(part_names(num_labels)), value=[], multiselect=True, label="Parts; all where none is named",
            elem_id="parts",
        )  # fmt: skip
        amount = gr.Slider(0, 1, 1, step=0.05, label="Amount: 0 is this photograph's own style", elem_id="amount")
        steps = gr.Slider(0, 100, 0, step=5, label="Style search, steps; without a reference", elem_id="steps")
    return reference, reference_labels, parts, amount, steps


def _place_attention() -> tuple[Any, Any, Any, Any]:
    """A picture to click on, and what was clicked."""
    with gr.Accordion("Where a pixel looks", open=False, elem_id="attention"):
        prepare = gr.Button("Show the hole", elem_id="prepare_look")
        note = gr.Markdown("", elem_classes="quiet")
        spot = gr.Image(
            label="Click a pixel of the hole", elem_id="spot", interactive=False, buttons=[], format="png",
            sources=[],
        )  # fmt: skip
        maps = gr.Gallery(label="What it attends to", elem_id="maps", columns=1, format="png", buttons=[], height=420)
    return prepare, spot, maps, note


def first_value(num_labels: int, example: Example | None) -> Any:
    """The editor's, with the example's label map."""
    if example is None or example.labels is None:
        return None
    return background(show_labels(np.asarray(Image.open(example.labels)), num_labels))


def wire(handlers: Handlers, labels: Labels, source: Any, hidden: dict[str, Any]) -> None:
    """Its events.

    Args:
      handlers: of the page.
      labels: from `place`.
      source: `page.Source`.
      hidden: keyword arguments of events that are no part of the API.
    """
    labels.file.upload(handlers.open_labels, [labels.file], [labels.editor], **hidden)
    hole = [source.photograph, source.editor, source.hole, source.hole_color]
    labels.prepare.click(handlers.prepare_look, hole, [labels.spot, labels.maps, labels.note], **hidden)
    labels.spot.select(handlers.look, [*hole, labels.file, labels.editor], [labels.maps, labels.note], **hidden)
