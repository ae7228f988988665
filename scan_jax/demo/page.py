"""The page: what stands where, and which handler each part calls."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from scan_jax.demo import label_page
from scan_jax.demo.example import Example
from scan_jax.demo.filling import Session
from scan_jax.demo.handlers import EXACT, NO_RESULT, SUFFIXES, Handlers, background
from scan_jax.demo.painting import show
from scan_jax.images.contact_sheet import TINT
from scan_jax.inference.request import BLENDS
from scan_jax.inference.tiling import STRATEGIES

BRUSH = (round(255 * TINT[0]), round(255 * TINT[1]), round(255 * TINT[2]))  # RGB
BRUSH_HEX = "#{:02x}{:02x}{:02x}".format(*BRUSH)
ENGINE: dict[str, Any] = {"concurrency_id": "engine", "concurrency_limit": 1}  # one photograph at a time in memory
HIDDEN: dict[str, Any] = {**ENGINE, "api_visibility": "private", "show_progress": "hidden"}
PAINTED = 100  # editors' pictures of a few MB at most
READING = ("hole_from", "hole_tolerance", "grow")  # fields on how the hole is read
Components = dict[str, Any]  # by name, in the order in which events take them


def build(session: Session, example: Example | None, about: str) -> gr.Blocks:
    """The page of one network: `example` lies there at first, `about` is the network in a few words."""
    handlers, count = Handlers(session), session.inpainter.num_labels
    minutes = session.limits.minutes
    with gr.Blocks(title="scan_jax: fill a hole", analytics_enabled=False, delete_cache=(600, 60 * minutes)) as page:
        gr.HTML(label_page.HEADER)
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                source, note, buttons = _place_source(example, session)
            with gr.Column(min_width=320):
                result, go_on = _place_result()
        labels = label_page.place(count, example) if count else None
        gr.HTML(label_page.FOOTER.format(about=html.escape(about)))
        inputs = [*source.values(), *(labels.for_filling if labels else [])]
        presses = [buttons["fill"], *([labels.fill] if labels else [])]
        running, filling = [], handlers.fill if labels else handlers.fill_at_once
        for number, button in enumerate(presses):
            visible = {"api_name": "fill"} if number == 0 else {"api_visibility": "private"}
            press = button.click(filling, inputs, result, show_progress_on=result[0], **visible, **ENGINE)
            press.success(None, js=label_page.SHOW_RESULT, api_visibility="private")
            running.append(press)
        buttons["cancel"].click(None, cancels=running, api_visibility="private").then(
            lambda: (gr.skip(), "Cancelled."), None, [result[0], result[-1]], queue=False, api_visibility="private"
        )
        _wire_source(handlers, source, note, result, go_on)
        if labels:
            label_page.wire(handlers, labels, source, HIDDEN)
        if example:
            _wire_example(example, count, source, labels, buttons["example"], [note, *result])
    for block in page.blocks.values():
        _keep_local(block)
        if isinstance(block, gr.ImageEditor):  # what is painted comes as bytes in memory, and some of it stays
            block.blob_storage = gr.utils.LRUCache(PAINTED)
    return page


def _wire_source(handlers: Handlers, source: Components, note: Any, result: list[Any], go_on: Any) -> None:
    """What is uploaded is shown at once; another photograph leaves no result of the one before."""
    hole, how = source["hole"], [source[name] for name in READING]
    files = [source[name] for name in ("photograph", "hole", "hole_color")]
    fresh = [source["photograph"], hole, source["editor"], note, *result]
    source["photograph"].upload(handlers.open_new, [*files, *how], fresh, **HIDDEN)
    go_on.click(handlers.go_on, [result[1]], fresh, **HIDDEN).success(
        None, js=label_page.SHOW_PAINTER, api_visibility="private"
    )
    changed = [source["hole_from"].submit, *(source[name].input for name in ("hole_color", *READING[1:]))]
    for event in (hole.upload, hole.clear, *changed):
        event(handlers.open, [*files, source["editor"], *how], [source["editor"], note], **HIDDEN)


def _place_source(example: Example | None, session: Session) -> tuple[Components, Any, Components]:
    """The left column: also the line about the photograph, and the buttons "fill", "cancel" and "example"."""
    with gr.Row():
        photograph = gr.UploadButton(
            label_page.UPLOAD, value=str(example.photograph) if example else None,
            variant="primary" if example is None else "secondary", elem_id="photograph", scale=3,
        )  # fmt: skip
        again = gr.Button("Example", size="lg", elem_id="example", scale=1, min_width=110) if example else None
    editor = gr.ImageEditor(
        value=_first_value(example), label="Paint the hole", elem_id="painter", type="pil", sources=(), transforms=(),
        layers=False, brush=gr.Brush(default_size=44, colors=[BRUSH_HEX], default_color=BRUSH_HEX, color_mode="fixed"),
        eraser=gr.Eraser(default_size=44), height=560, canvas_size=(512, 512), format="png", buttons=["fullscreen"],
        placeholder="# Upload a photograph first",
    )  # fmt: skip
    begin = "A drawn portrait with a hole to begin with. Press Fill, or upload your own." if example else ""
    note = gr.Markdown(begin, elem_classes="quiet", elem_id="note")
    with gr.Row():
        fill = gr.Button("Fill", variant="primary", size="lg", elem_id="fill", scale=3)
        cancel = gr.Button("Cancel", size="lg", elem_id="cancel", scale=1, min_width=110)
    origin = gr.Markdown(session.origin(), elem_classes="quiet", elem_id="origin")
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        hole = gr.File(label="Hole as an image of the photograph's size", elem_id="hole", height=150)
        hole_color = gr.Radio(["white", "black"], value="white", label="The hole in that image is", elem_id="color")
        own = gr.Textbox(
            "", label="The photograph brings its hole", elem_id="hole_from", placeholder="alpha, or a colour: ff00ff",
            info="alpha: what is transparent. A colour: what is painted over in it. Press Enter to see it.",
        )  # fmt: skip
        with gr.Row():
            tolerance = gr.Number(0, label="Levels off that colour", precision=0, minimum=0, elem_id="hole_tolerance")
            grow = gr.Number(0, label="Grow the hole, pixels", precision=0, minimum=0, elem_id="grow")
        strategy = gr.Radio(
            list(STRATEGIES), value="auto", label="What the network sees", elem_id="strategy",
            info="whole: all of the photograph, small. windows: the surroundings of the hole at their own scale.",
        )  # fmt: skip
        blend = gr.Radio(
            list(BLENDS), value="auto", label="At the hole's border", elem_id="blend",
            info="poisson: the filling is shifted to meet the known pixels. auto: that, but not with another's styles.",
        )  # fmt: skip
        own_first = [("what this page was started with", ""), *((name, name) for name in session.models)]
        model = gr.Dropdown(
            own_first, value="", label="Filled by", elem_id="model",
            info="or what comes with the package, or was imported; it takes no label map",
        )  # fmt: skip
        detail = gr.CheckboxGroup(
            ["texture", "grain"], label="Detail in large holes", elem_id="detail",
            info="texture: patches of the photograph around the hole. grain: noise like that around it.",
        )  # fmt: skip
        seed = gr.Number(0, label="Seed", precision=0, elem_id="seed")
        file_type = gr.Dropdown(list(SUFFIXES), value=EXACT, label="File to download", elem_id="file_type")
    source = {"photograph": photograph, "editor": editor, "hole": hole, "hole_color": hole_color}
    source |= {"seed": seed, "strategy": strategy, "blend": blend, "model": model, "detail": detail, "type": file_type}
    source |= dict(zip(READING, (own, tolerance, grow)))
    model.change(session.origin, [model], [origin], queue=False, show_progress="hidden", api_visibility="private")
    return source, note, {"fill": fill, "cancel": cancel, "example": again}


def _place_result() -> tuple[list[Any], Any]:
    """The right column: before and after, two downloads, and a line; and the button that goes on from it."""
    slider = gr.ImageSlider(
        label="Before and after", elem_id="result", format="png", max_height=560, slider_position=30,
        buttons=["fullscreen"], interactive=False,
    )  # fmt: skip
    note = gr.Markdown("", elem_classes="quiet", elem_id="about_result")
    with gr.Row():
        download = gr.DownloadButton("Download", variant="primary", interactive=False, elem_id="download", scale=3)
        hole = gr.DownloadButton("Hole", interactive=False, elem_id="download_hole", scale=1, min_width=110)
    go_on = gr.Button("Go on from this result", size="lg", elem_id="go_on")
    return [slider, download, hole, note], go_on


def _wire_example(
    example: Example, count: int, source: Components, labels: Any, button: Any, others: list[Any]
) -> None:
    """Back to the first photograph."""

    def take() -> tuple[Any, ...]:
        line = "The example, with a hole to begin with."
        first = (str(example.photograph), _first_value(example), None, line, *NO_RESULT)
        return first if labels is None else (*first, str(example.labels), label_page.first_value(count, example))

    outputs = [source["photograph"], source["editor"], source["hole"], *others]
    if labels is not None:
        outputs += labels.for_filling[:2]
    button.click(take, None, outputs, **HIDDEN)


def _first_value(example: Example | None) -> Any:
    if example is None:
        return None
    pixels = np.asarray(Image.open(example.photograph).convert("RGB"))
    return background(Image.fromarray(show(pixels)), str(example.layer))


def _keep_local(block: Any) -> None:
    """Refuses addresses where files are expected: Gradio would fetch them."""
    move = getattr(block, "async_move_resource_to_block_cache", None)
    if move is None:
        return

    async def refuse(path: Any) -> Any:
        if "://" in str(path):
            raise gr.Error("this page fetches nothing from elsewhere: upload the file", print_exception=False)
        return await move(path)

    block.async_move_resource_to_block_cache = refuse
