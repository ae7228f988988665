"""Pictures of a run's scalars: every loss and term by itself, and the quality in each bucket of hole ratios."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.run_layout import SCALARS

Series = Mapping[str, tuple[list[int], list[float]]]  # name -> steps, values
COLUMNS = 3  # of small plots in a row


def draw_curves(folder: Path) -> None:
    """Writes `losses.png` and `psnr.png` into a run folder, each as far as its scalars have something to show.

    Raises:
      UserError: the pictures cannot be written.
    """
    series = read_scalars(folder / SCALARS)
    losses = {name: curve for name, curve in series.items() if name.startswith(("loss/", "term/"))}
    quality = {name.removeprefix("eval/psnr/"): c for name, c in series.items() if name.startswith("eval/psnr/")}
    if losses:
        _save(_small_plots(losses), folder / "losses.png")
    if quality:
        _save(_one_plot(quality, "PSNR on held-out photographs (dB)"), folder / "psnr.png")


def read_scalars(path: Path) -> Series:
    """The finite values in a run's `scalars.jsonl`, by name.

    Args:
      path: one JSON object a line, `{"step": 100, "loss/generator": 0.1, ...}`; a line cut short by a crash is skipped,
        a missing file is an empty one.
    """
    series: dict[str, tuple[list[int], list[float]]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            scalars = json.loads(line)
        except json.JSONDecodeError:
            continue
        for name, value in scalars.items():
            if name != "step" and math.isfinite(value):
                steps, values = series.setdefault(name, ([], []))
                steps.append(scalars["step"])
                values.append(value)
    return series


def _small_plots(series: Series) -> Figure:
    """One plot for each name, for their scales differ."""
    rows = -(-len(series) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes, name in zip(grid.flat, sorted(series)):
        axes.plot(*series[name], linewidth=1.0)
        _label(axes, name)
    for axes in grid.flat[len(series) :]:
        axes.remove()
    return figure


def _one_plot(series: Series, title: str) -> Figure:
    """All names in one plot, with a legend; points are marked, for there are few."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, (steps, values) in series.items():
        axes.plot(steps, values, marker="o", markersize=3, linewidth=1.2, label=name)
    figure.legend(title="hole", fontsize="small", loc="outside right upper")
    _label(axes, title)
    return figure


def _label(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomically(path, buffer.getvalue())
