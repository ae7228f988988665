"""Charts as SVG within the page, whose colours follow the page's light or dark scheme."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Stand-ins that no chart uses otherwise; in the page they become the style sheet's variables.
INK, GRID = "#a0b0f0", "#a0b0f1"
SERIES = tuple(f"#a0b0e{i}" for i in range(8))
_VARIABLES = {INK: "var(--ink-soft)", GRID: "var(--line)"} | {c: f"var(--series-{i})" for i, c in enumerate(SERIES)}

MARKERS = "os^DvPX*"  # so that colour is not all that tells the entries apart
SIGNS = "●■▲◆▼✚✖★"  # the same, as characters for legends
WIDTH, HEIGHT = 4.8, 2.9  # inches at 72 pixels: still readable where a phone shows it at three quarters

# Text stays text, so that it can be read aloud, searched for and drawn by the reader's own fonts.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 11,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclasses.dataclass(frozen=True)
class Chart:
    """One chart of the page.

    Attributes:
      title: its heading.
      svg: the drawing.
      caption: what is drawn, in a clause.
    """

    title: str
    svg: Markup
    caption: str


def new_axes() -> tuple[Figure, Axes]:
    """An empty chart; to be made, filled and drawn within `context()`."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    return figure, axes


def draw(figure: Figure, label: str) -> Markup:
    """The SVG element of a figure.

    Args:
      figure: drawn with this module's colours alone.
      label: says what is to be seen, for those who do not see it; no two charts of a page share it.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": label}):  # equal charts get equal ids, other charts other ones
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, variable)
    width, height = figure.get_size_inches() * 72
    opening = f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return Markup(opening + _without_idle_ids(body))


def spread_out(position: np.ndarray | float, index: int, count: int) -> np.ndarray | float:
    """Positions on an axis of buckets, a little beside each other, so that no entry's mark hides another's."""
    step = min(0.14, 0.6 / max(count, 1))
    return position + (index - (count - 1) / 2) * step


def name_ticks(axes: Axes, labels: Sequence[str], direction: str) -> None:
    """Puts buckets on the "x" or the "y" axis, in order."""
    set_ticks = axes.set_xticks if direction == "x" else axes.set_yticks
    set_ticks(range(len(labels)), list(labels))
    axes.grid(visible=False, axis="x" if direction == "x" else "y")


def context() -> AbstractContextManager[None]:
    """The style within which charts are made."""
    return matplotlib.rc_context(STYLE)


def _without_idle_ids(body: str) -> str:
    """Drops the ids that nothing refers to, such as "axes_1", which every chart of the page would repeat."""
    used = set(re.findall(r"""(?:href="|url\()#([^")]+)""", body))
    return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
