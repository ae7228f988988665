"""The tables' numbers drawn: means by bucket, and differences to the first entry, each with its interval."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scan_jax.core.run_layout import SCALARS
from scan_jax.evaluation.report.scores import heading
from scan_jax.evaluation.results import EntryResult, Results
from scan_jax.evaluation.run_pictures import Series, read_scalars
from scan_jax.evaluation.statistics import Summary, printed


def bucket_charts(results: Results, names: Sequence[str]) -> tuple[Chart, ...]:
    """One chart for each metric: its mean in every bucket, with its interval, for all entries."""
    return tuple(_chart_by_bucket(results, name) for name in names)


def difference_charts(results: Results, names: Sequence[str]) -> tuple[Chart, ...]:
    """One chart for each metric: the first entry minus each other one by bucket; none where there is but one entry."""
    return tuple(_chart_by_bucket(results, name, minus=True) for name in names) if len(results.entries) > 1 else ()


def _chart_by_bucket(results: Results, name: str, *, minus: bool = False) -> Chart:
    """Buckets lie on the x-axis, but for differences on the y-axis."""
    metric, buckets, first = results.metrics[name], list(results.buckets), results.entries[0].name
    summary = results.difference if minus else results.summary
    found: dict[str, dict[int, Summary]] = {}  # by entry and the bucket's position, where there is something finite
    for entry in results.entries[1:] if minus else results.entries:
        each = enumerate(summary(entry, bucket, name) for bucket in buckets)
        found[entry.name] = {k: one for k, one in each if one is not None and one.n}
    title = heading(metric, minus=minus)
    words = "; ".join(
        f"{entry}: " + ", ".join(f"{buckets[k]} {printed(one.mean, metric)}" for k, one in there.items())
        for entry, there in found.items()
    )
    with matplotlib.rc_context(STYLE):
        figure, axes = _new_axes()
        if minus:
            axes.axvline(0, color=INK, linewidth=1)
        for i, there in enumerate(found.values()):
            # A little beside each other, so that no entry's mark hides another's.
            places = np.array(list(there)) + (i - (len(found) - 1) / 2) * min(0.14, 0.6 / len(found))
            means, errors = _bars(list(there.values()))
            if minus:
                axes.errorbar(means, places, xerr=errors, linestyle="", **_marks(i + 1))
            else:
                axes.errorbar(places, means, errors, linestyle="-", **_marks(i))
        if not minus:
            axes.set_xticks(range(len(buckets)), buckets)
            axes.grid(visible=False, axis="x")
            axes.set_xlim(-0.5, len(buckets) - 0.5)
            axes.set_xlabel("share of the image that is hole")
            return Chart(title, _draw(figure, f"{metric.title} by bucket. {words}"), "mean and 95% interval")
        axes.set_yticks(range(len(buckets)), buckets)
        axes.grid(visible=False, axis="y")
        axes.set_ylim(len(buckets) - 0.5, -0.5)
        axes.locator_params(axis="x", nbins=5)
        axes.set_ylabel("hole")
        side = {"higher": "right of 0", "lower": "left of 0", "zero": "left of 0 (magnitudes)"}[metric.better]
        return Chart(title, _draw(figure, f"{first} minus each other, {title}. {words}"), f"{first} is better {side}")


def _bars(summaries: Sequence[Summary]) -> tuple[np.ndarray, np.ndarray]:
    """Means [n], and how far their intervals reach below and above: [2,n]."""
    means = np.array([one.mean for one in summaries])
    reach = [[one.mean - one.low for one in summaries], [one.high - one.mean for one in summaries]]
    return means, np.maximum(np.array(reach).reshape(2, len(means)), 0)  # rounding may leave -1e-17


def _marks(index: int) -> dict[str, Any]:
    kind = index % len(SERIES)
    widths = {"markersize": 5.5, "linewidth": 1.4, "elinewidth": 1.8, "capsize": 3}
    return {"color": SERIES[kind], "marker": MARKERS[kind], **widths}


# Stand-ins that no chart uses otherwise; in the page they become the style sheet's variables.
INK, GRID = "#a0b0f0", "#a0b0f1"
SERIES = tuple(f"#a0b0e{i}" for i in range(8))
MARKERS = "os^DvPX*"  # so that colour is not all that tells the entries apart
SIGNS = "●■▲◆▼✚✖★"  # the same, as characters for legends
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


class Chart(NamedTuple):
    """One chart of the page."""

    title: str  # its heading
    svg: Markup  # the drawing
    caption: str  # what is drawn, in a clause


def _new_axes() -> tuple[Figure, Axes]:
    """An empty chart; to be made, filled and drawn within `STYLE`."""
    figure = Figure(figsize=(4.8, 2.9), layout="constrained")  # inches: readable where a phone shows three quarters
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    return figure, axes


def _draw(figure: Figure, label: str) -> Markup:
    """The SVG element of a figure in this module's colours alone.

    `label` says what is to be seen, for those who do not see it; no two charts of a page share it.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": label}):  # equal charts get equal ids, other charts other ones
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    variables = {INK: "var(--ink-soft)", GRID: "var(--line)"} | {c: f"var(--series-{i})" for i, c in enumerate(SERIES)}
    for stand_in, variable in variables.items():
        body = body.replace(stand_in, variable)
    # Ids that nothing refers to, such as "axes_1", would be repeated in every chart of the page.
    used = set(re.findall(r"""(?:href="|url\()#([^")]+)""", body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    width, height = figure.get_size_inches() * 72
    opening = f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return Markup(opening + body)


POINTS = 300  # of one curve at most: a page is not to grow with the length of a training


def read_training(results: Results) -> dict[str, Any]:
    """The curves of every folder with scalars, in the colour of its first entry.

    "runs": names by their colour's number; entries that share a folder are one. "quality", "losses" and "terms": charts
    of completions' PSNR on held-out photographs, of what the networks were trained on, and of its parts.
    """
    places = {one.name: i for i, one in enumerate(results.entries)}
    names, runs = {}, {}
    for name, one in one_per_folder(results.entries).items():
        if one.folder is not None and (series := read_scalars(one.folder / SCALARS)):
            names[places[one.name]], runs[places[one.name]] = name, series
    starts = {"quality": "eval/psnr/", "losses": "loss/", "terms": "term/"}
    return {"runs": names, **{kind: _charts(runs, start) for kind, start in starts.items()}}


def thin(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most POINTS points: the means of as many equally long stretches. [n], [n] -> [m], [m]."""
    if steps.shape != values.shape or steps.ndim != 1:
        raise ValueError(f"steps [n] and values [n] are needed, not {steps.shape} and {values.shape}")
    if len(steps) <= POINTS:
        return steps, values
    stretch = -(-len(steps) // POINTS)
    starts = np.arange(0, len(steps), stretch)
    counts = np.diff(np.append(starts, len(steps)))
    return np.add.reduceat(steps, starts) / counts, np.add.reduceat(values, starts) / counts


def _charts(runs: Mapping[int, Series], start: str) -> tuple[Chart, ...]:
    """One for each scalar whose name begins so."""
    names = sorted({name for series in runs.values() for name in series if name.startswith(start)})
    return tuple(_chart(name, {i: series[name] for i, series in runs.items() if name in series}) for name in names)


def _chart(name: str, curves: Mapping[int, tuple[list[int], list[float]]]) -> Chart:
    with matplotlib.rc_context(STYLE):
        figure, axes = _new_axes()
        for i, curve in curves.items():
            steps, values = thin(*(np.asarray(part, np.float64) for part in curve))
            kind = i % len(SERIES)
            marker = MARKERS[kind] if len(steps) <= 30 else ""
            axes.plot(steps, values, marker=marker, markersize=4.5, linewidth=1.4, color=SERIES[kind])
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel("step")
        last = ", ".join(f"{curve[1][-1]:.4g} at step {curve[0][-1]}" for curve in curves.values())
        stretch = -(-max(len(curve[0]) for curve in curves.values()) // POINTS)
        caption = f"means of {stretch} values" if stretch > 1 else ""
        title = f"PSNR (dB), {name.rsplit('/', 1)[1]} hole" if name.startswith("eval/psnr/") else name
        return Chart(title, _draw(figure, f"{title} by training step; last {last}"), caption)


def one_per_folder(entries: Sequence[EntryResult]) -> dict[str, EntryResult]:
    """The first entry of each folder, such as a run and the same one with style search, by the names of all of them."""
    shared: dict[object, list[EntryResult]] = {}
    for entry in entries:
        shared.setdefault(entry.folder.resolve() if entry.folder else entry.name, []).append(entry)
    return {", ".join(entry.name for entry in those): those[0] for those in shared.values()}
