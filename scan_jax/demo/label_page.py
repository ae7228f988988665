"""The page's part for networks that are conditioned on a label map: the map, styles of parts, attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
from gradio.themes.utils import colors, fonts, sizes
from PIL import Image

from scan_jax.demo.example import Example
from scan_jax.demo.handlers import Handlers, background
from scan_jax.demo.painting import show_labels
from scan_jax.images.palette import palette, part_names


class Labels(NamedTuple):
    """Its components."""

    for_filling: list[Any]  # the last inputs of `Handlers.fill`, the label map's file and editor first
    fill: Any  # the button
    attention: tuple[Any, Any, Any, Any]  # the button that shows the hole, the picture to click on, the maps, a line


def place(num_labels: int, example: Example | None) -> Labels:
    """Puts the components below the photograph."""
    gr.HTML(
        '<div class="section"><h2>Label map</h2><p>What lies where, a colour for each class. The hole is filled with '
        "what the map says there: repaint it, and fill again.</p></div>"
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            colours = hexadecimal(num_labels)
            editor = gr.ImageEditor(
                value=first_value(num_labels, example), label="Label map", elem_id="label_painter", type="pil",
                sources=(), transforms=(), layers=False, eraser=gr.Eraser(default_size=24), height=560,
                canvas_size=(512, 512), format="png", buttons=["fullscreen"], placeholder="# Upload a label map first",
                brush=gr.Brush(default_size=24, colors=[*colours], default_color=colours[-1], color_mode="fixed"),
            )  # fmt: skip
            style = _place_style(num_labels, example)
        with gr.Column(min_width=320):
            gr.HTML(legend(num_labels))
            begin = str(example.labels) if example else None
            file = gr.UploadButton("Upload a label map", value=begin, elem_id="labels")
            gr.Markdown(f"A PNG whose pixel values are the classes 0 to {num_labels - 1}.", elem_classes="quiet")
            fill = gr.Button("Fill with these labels", variant="primary", size="lg", elem_id="fill_labels")
            attention = _place_attention()
    return Labels([file, editor, *style], fill, attention)


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
        names, label = list(part_names(num_labels)), "Parts; all where none is named"
        parts = gr.Dropdown(names, value=[], multiselect=True, label=label, elem_id="parts")
        amount = gr.Slider(0, 1, 1, step=0.05, label="Amount: 0 is this photograph's own style", elem_id="amount")
        steps = gr.Slider(0, 100, 0, step=5, label="Style search, steps; without a reference", elem_id="steps")
    return reference, reference_labels, parts, amount, steps


def _place_attention() -> tuple[Any, Any, Any, Any]:
    """A picture to click on, and what was clicked."""
    with gr.Accordion("Where a pixel looks", open=False, elem_id="attention"):
        prepare = gr.Button("Show the hole", elem_id="prepare_look")
        note = gr.Markdown("", elem_classes="quiet")
        looks: dict[str, Any] = {"format": "png", "buttons": []}
        spot = gr.Image(label="Click a pixel of the hole", elem_id="spot", interactive=False, sources=[], **looks)
        maps = gr.Gallery(label="What it attends to", elem_id="maps", columns=1, height=420, **looks)
    return prepare, spot, maps, note


def first_value(num_labels: int, example: Example | None) -> Any:
    """The editor's, with the example's label map."""
    if example is None or example.labels is None:
        return None
    return background(Image.fromarray(show_labels(np.asarray(Image.open(example.labels)), num_labels)))


def wire(handlers: Handlers, labels: Labels, source: Mapping[str, Any], hidden: dict[str, Any]) -> None:
    """Its events; `source` has the fields on the left by name, `hidden` is of private events."""
    file, editor, *_ = labels.for_filling
    prepare, spot, maps, note = labels.attention
    file.upload(handlers.open_labels, [file], [editor], **hidden)
    hole = [source[name] for name in ("photograph", "editor", "hole", "hole_color")]
    how = [source[name] for name in ("hole_from", "hole_tolerance", "grow")]
    prepare.click(handlers.prepare_look, [*hole, *how], [spot, maps, note], **hidden)
    spot.select(handlers.look, [*hole, file, editor, *how], [maps, note], **hidden)


HEADER = """
<header class="masthead">
  <h1>Fill a hole</h1>
  <p>Upload a photograph, paint over what should go, and let the network paint what may have been there.
  Every other pixel stays exactly as it is.</p>
</header>
"""
FOOTER = """
<footer class="colophon">scan_jax, {about}.
This page and everything you give it stay on the machine that runs it.</footer>
"""
STYLE = """
.gradio-container { max-width: 1180px !important; width: 100% !important; margin: 0 auto !important;
  font-variant-ligatures: none; }
.gradio-container > main, .gradio-container main > .wrap { width: 100% !important; }
.masthead { padding: 1.1rem 0 .2rem; }
.masthead h1 { font-size: clamp(1.6rem, 4vw, 2.15rem); font-weight: 600; letter-spacing: -.02em; margin: 0; }
.masthead p { margin: .35rem 0 0; max-width: 44rem; color: var(--body-text-color-subdued); line-height: 1.5; }
.colophon { padding: 1rem 0 .5rem; font-size: .85rem; color: var(--body-text-color-subdued); }
.quiet p { color: var(--body-text-color-subdued); font-size: .92rem; margin: 0; }
.section h2 { font-size: 1.25rem; font-weight: 600; margin: 1.2rem 0 .1rem; letter-spacing: -.01em; }
.section p { color: var(--body-text-color-subdued); margin: 0; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem .5rem; list-style: none; padding: 0; margin: .35rem 0 0; }
.legend li { display: inline-flex; align-items: center; gap: .4rem; font-size: .86rem; line-height: 1; margin: 0;
  padding: .32rem .6rem .32rem .36rem; border: 1px solid var(--border-color-primary); border-radius: 999px; }
.legend i { width: .95rem; height: .95rem; border-radius: 50%; box-shadow: inset 0 0 0 1px #0003; }
footer.svelte-czcr5b, .built-with { display: none !important; }
.html-container { padding: 0 !important; }
@media (max-width: 640px) {
  #painter, #label_painter { height: 420px !important; }
  .gradio-container { padding: 0 .6rem !important; }
}
"""

# To the result where it is not to be seen, as on a telephone, once it has its height.
SHOW_RESULT = """
() => setTimeout(() => {
  const part = document.querySelector("#result"), top = part.getBoundingClientRect().top;
  if (top < 0 || top > innerHeight / 2) part.scrollIntoView({ behavior: "smooth" });
}, 500)
"""
SHOW_PAINTER = SHOW_RESULT.replace("#result", "#painter")
UPLOAD = "Upload a photograph"
# A photograph may be dropped anywhere, or pasted; other parts that take files keep what is dropped on them. The keys [
# and ] move the slider of the editor's brush or eraser, which is there only once its button, the last, was pressed.
SCRIPT = """
() => {
  const give = (event, files) => {
    const image = [...(files || [])].find((file) => file.type.startsWith("image/"));
    const input = document.querySelector('input[data-testid="UPLOAD-upload-button"]');
    if (!image || !input || event.defaultPrevented) return;
    event.preventDefault();
    const carrier = new DataTransfer();
    carrier.items.add(image);
    input.files = carrier.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => give(event, event.dataTransfer && event.dataTransfer.files));
  document.addEventListener("paste", (event) => give(event, event.clipboardData && event.clipboardData.files));
  let turn = Promise.resolve(), waiting = 0, opened = false;
  const until = async (ready) => {
    for (let i = 0; i < 100 && !ready(); i++) await new Promise((done) => setTimeout(done, 10));
    return ready();
  };
  document.addEventListener("keydown", (event) => {
    if (!"[]".includes(event.key) || event.target.closest("input, textarea")) return;
    const editor = document.querySelector("#label_painter:hover") || document.querySelector("#painter");
    waiting += 1;
    turn = turn.then(async () => {
      const find = () => editor.querySelector("input[type=range]");
      if (!find()) {
        [...editor.querySelectorAll("button")].pop().click();
        opened = true;
      }
      const range = await until(find);
      if (range) {
        range.value = event.key === "]" ? Math.ceil(range.value * 1.2) : Math.floor(range.value / 1.2);
        range.dispatchEvent(new Event("input", { bubbles: true }));
      }
      if ((waiting -= 1) || !opened) return;
      document.body.dispatchEvent(new Event("mousedown", { bubbles: true }));  // closes it
      opened = false;
      await until(() => !find());
    });
  });
}
""".replace("UPLOAD", UPLOAD)


def theme() -> gr.themes.Base:
    """Soft greys, one blue, rounded corners; the fonts come with Gradio."""
    look: Any = gr.themes.Base(
        primary_hue=colors.indigo,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_lg,
        font=[fonts.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
        font_mono=[fonts.LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
    )
    return look.set(
        body_background_fill="*neutral_50",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_shadow="0 1px 2px rgb(15 23 42 / .05)",
        block_label_text_weight="600",
        block_title_text_weight="600",
        button_large_radius="*radius_lg",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_text_color="white",
        button_large_text_weight="600",
    )


def legend(num_labels: int) -> str:
    """The classes' colours and names as HTML."""
    kinds = zip(hexadecimal(num_labels), part_names(num_labels))
    chips = (f'<li><i style="background: {colour}"></i>{name}</li>' for colour, name in kinds)
    return f'<ul class="legend" aria-label="classes">{"".join(chips)}</ul>'


def hexadecimal(num_labels: int) -> list[str]:
    """The palette's colours, such as "#cc0000"."""
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in palette(num_labels)]
