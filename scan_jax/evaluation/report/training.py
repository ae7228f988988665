"""Training curves of the runs among the entries: every scalar in one small chart, all runs in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from scan_jax.core.run_layout import SCALARS
from scan_jax.evaluation.curves import Series, read_scalars
from scan_jax.evaluation.report import svg
from scan_jax.evaluation.report.background import one_per_folder
from scan_jax.evaluation.results import Results

POINTS = 300  # of one curve at most: a page is not to grow with the length of a training


@dataclasses.dataclass(frozen=True)
class Training:
    """What the curves section shows.

    Attributes:
      runs: names by their colour's number; entries that share a folder are one.
      quality: of completions on held-out photographs, as training went on.
      losses: what the networks were trained on.
      terms: the losses' parts.
    """

    runs: Mapping[int, str]
    quality: tuple[svg.Chart, ...]
    losses: tuple[svg.Chart, ...]
    terms: tuple[svg.Chart, ...]


def read_training(results: Results) -> Training:
    """The curves of every folder with scalars, in the colour of its first entry."""
    places = {one.name: i for i, one in enumerate(results.entries)}
    names, runs = {}, {}
    for name, one in one_per_folder(results.entries).items():
        if one.folder is not None and (series := read_scalars(one.folder / SCALARS)):
            names[places[one.name]], runs[places[one.name]] = name, series
    quality, losses, terms = (_charts(runs, start) for start in ("eval/psnr/", "loss/", "term/"))
    return Training(names, quality, losses, terms)


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


def _charts(runs: Mapping[int, Series], start: str) -> tuple[svg.Chart, ...]:
    """One for each scalar whose name begins so."""
    names = sorted({name for series in runs.values() for name in series if name.startswith(start)})
    return tuple(_chart(name, {i: series[name] for i, series in runs.items() if name in series}) for name in names)


def _chart(name: str, curves: Mapping[int, tuple[list[int], list[float]]]) -> svg.Chart:
    with svg.context():
        figure, axes = svg.new_axes()
        longest = 0
        for i, curve in curves.items():
            steps, values = thin(*(np.asarray(part, np.float64) for part in curve))
            longest = max(longest, len(curve[0]))
            kind = i % len(svg.SERIES)
            marker = svg.MARKERS[kind] if len(steps) <= 30 else ""
            axes.plot(steps, values, marker=marker, markersize=4.5, linewidth=1.4, color=svg.SERIES[kind])
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel("step")
        last = ", ".join(f"{curve[1][-1]:.4g} at step {curve[0][-1]}" for curve in curves.values())
        stretch = -(-longest // POINTS)
        caption = f"means of {stretch} values" if stretch > 1 else ""
        title = f"PSNR (dB), {name.rsplit('/', 1)[1]} hole" if name.startswith("eval/psnr/") else name
        return svg.Chart(title, svg.draw(figure, f"{title} by training step; last {last}"), caption)
