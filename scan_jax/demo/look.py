"""How the page looks: a calm theme of Gradio's own fonts and colours, and some rules of style. Nothing is fetched."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

from scan_jax.images.palette import palette, part_names

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

UPLOAD = "Upload a photograph"
# A photograph may be dropped anywhere, or pasted; other parts that take files keep what is dropped on them.
DROP = """
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
    chips = (
        f'<li><i style="background: {colour}"></i>{name}</li>'
        for colour, name in zip(hexadecimal(num_labels), part_names(num_labels))
    )
    return f'<ul class="legend" aria-label="classes">{"".join(chips)}</ul>'


def hexadecimal(num_labels: int) -> list[str]:
    """The palette's colours, such as "#cc0000"."""
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in palette(num_labels)]
