"""Pictures of a run: the same held-out photographs all through it, where pixels look, and curves of its scalars."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.run_layout import SCALARS
from scan_jax.core.types import Example
from scan_jax.data.api import PhotoSource
from scan_jax.images.contact_sheet import save_grid, tint_hole
from scan_jax.images.palette import paint

Series = Mapping[str, tuple[list[int], list[float]]]  # name -> steps, values
LOOKING = 2  # hole pixels of each photograph whose attention is shown


class ContactSheet:
    """Up to six photographs with one hole each, from bucket to bucket, and a picture of what becomes of them.

    `points`, int32 [n,2,2], are (row, column) of hole pixels; `observation` what a network may see, on the host.
    """

    def __init__(self, photographs: PhotoSource, holes: Mapping[str, np.ndarray], num_labels: int = 0) -> None:
        """From held-out photographs and fixed holes by bucket, bool [.,S,S]; `num_labels` is 0 without labels."""
        buckets, count = list(holes), min(6, len(photographs))
        self._buckets = [buckets[i % len(buckets)] for i in range(count)]
        self._num_labels = num_labels
        photos = [photographs[i] for i in range(count)]
        hole = np.stack([holes[bucket][i % len(holes[bucket])] for i, bucket in enumerate(self._buckets)])  # [n,S,S]
        self.image = np.stack([photo["image"] for photo in photos]).astype(np.float32) / 255  # [n,S,S,3]
        self.known = 1 - hole[..., None].astype(np.float32)  # [n,S,S,1]
        # int32 [n,S,S]
        self.labels = np.stack([photo["labels"] for photo in photos]).astype(np.int32) if num_labels else None
        self.points = np.stack([choose_points(known, LOOKING) for known in self.known]).astype(np.int32)
        arrays: Any = (self.image, self.known, self.labels)
        self.observation = Example(*arrays).observe()

    def write(self, path: Path, stages: Mapping[str, np.ndarray], looks: Mapping[str, np.ndarray]) -> None:
        """A PNG with a row for each photograph; a UserError where it cannot be written.

        `stages` are predictions by name, each [n,S,S,3] in [0, 1], of which completions are shown; `looks`, each
        [n,2,S,S], what `points` attend to by name, over the input, red for most.
        """
        seen = np.stack([tint_hole(*pair) for pair in zip(self.image, self.known)])  # [n,S,S,3]
        columns = {
            "input": seen,
            **({} if self.labels is None else {"labels": paint(self.labels, self._num_labels) / np.float32(255)}),
            **{name: np.where(self.known > 0.5, self.image, stage) for name, stage in stages.items()},
            **{f"{name} {i + 1}": self._look(maps[:, i], i) for name, maps in looks.items() for i in range(LOOKING)},
            "truth": self.image,
        }
        rows = [(bucket, [column[n] for column in columns.values()]) for n, bucket in enumerate(self._buckets)]
        save_grid(path, list(columns), rows)

    def _look(self, weights: np.ndarray, index: int) -> np.ndarray:
        """Attention [n,S,S] of every photograph's pixel `index` over what is known of it: [n,S,S,3]."""
        visible = np.asarray(self.observation.image)  # [n,S,S,3]
        return np.stack([overlay(*each) for each in zip(visible, weights, self.points[:, index])])


def choose_points(known: np.ndarray, count: int) -> np.ndarray:
    """`count` hole pixels far from each other and from the known ones: int [count,2], (row, column).

    `known` is [H,W,1], 1 = known pixel. Without a hole the centre is repeated.
    """
    hole = known[..., 0] < 0.5  # [H,W]
    if not hole.any():
        return np.tile(np.array(hole.shape) // 2, (count, 1))
    rows, columns = np.nonzero(hole)
    places = np.stack([rows, columns], 1)  # [n,2]
    padded = np.pad(hole.astype(np.uint8), 1)  # a border counts as known
    inward = cv2.distanceTransform(padded, cv2.DIST_L1, 3)[1:-1, 1:-1][rows, columns]  # [n]
    chosen = [int(np.argmax(inward))]
    while len(chosen) < count:
        away = np.min(np.abs(places[:, None] - places[chosen][None]).sum(-1), axis=1)  # [n]
        chosen.append(int(np.argmax(np.minimum(away, 4.0 * inward))))
    return places[chosen]


def overlay(image: np.ndarray, weights: np.ndarray, point: np.ndarray) -> np.ndarray:
    """One picture of Fig. 4, [H,W,3] in [0, 1]: `image`, likewise, and what the pixel at `point` (row, column) sees.

    `weights` [H,W], not negative, are shown relative to the largest.
    """
    if image.shape[:2] != weights.shape or image.shape[2:] != (3,):
        raise ValueError(f"[H,W,3] and [H,W] are needed, not {image.shape} and {weights.shape}")
    top = weights.max()
    heat = matplotlib.colormaps["jet"](weights / top if top > 0 else weights)[..., :3]  # [H,W,3]
    picture = 0.35 * image.mean(axis=-1, keepdims=True) + 0.65 * heat  # [H,W,3]
    rows, columns = np.indices(weights.shape)
    size = max(1.0, 0.03 * min(weights.shape))  # half the diamond's diagonal
    diamond = np.abs(rows - point[0]) + np.abs(columns - point[1]) <= size  # [H,W]
    return np.where(diamond[..., None], 0.0, picture)


def save_heat_maps(
    path: Path,
    photograph: np.ndarray,
    known: np.ndarray,
    labels: np.ndarray | None,
    maps: Mapping[str, np.ndarray],
    points: np.ndarray,
    num_labels: int,
) -> None:
    """The input, its labels and what each point attends to, side by side in one PNG.

    `photograph` uint8 [H,W,3]; `known` [H,W,1], 1 = known pixel; `labels` integers [H,W] of `num_labels` classes, or
    None; `maps` by name, float [P,H,W]; `points` (row, column) [P,2]. UserError where the file cannot be written.
    """
    image = photograph.astype(np.float32) / np.float32(255)
    columns = {"input": tint_hole(image, known)}
    if labels is not None and num_labels:
        columns["labels"] = paint(labels, num_labels) / np.float32(255)
    for name, weights in maps.items():
        for one, (row, column) in zip(weights, points):
            columns[f"{name} of {column},{row}"] = overlay(image * known, one, np.array([row, column]))
    save_grid(path, list(columns), [("", list(columns.values()))])


def draw_curves(folder: Path) -> None:
    """Writes `losses.png` and `psnr.png` of what a run's scalars have; a UserError where they cannot be written."""
    series = read_scalars(folder / SCALARS)
    losses = {name: curve for name, curve in series.items() if name.startswith(("loss/", "term/"))}
    quality = {name.removeprefix("eval/psnr/"): c for name, c in series.items() if name.startswith("eval/psnr/")}
    if losses:
        _save(_small_plots(losses), folder / "losses.png")
    if quality:
        _save(_one_plot(quality, "PSNR on held-out photographs (dB)"), folder / "psnr.png")


def read_scalars(path: Path) -> Series:
    """The finite values in a run's `scalars.jsonl`, by name.

    Each line is a JSON object, `{"step": 100, "loss/generator": 0.1, ...}`; one cut short by a crash is skipped, a
    missing file is an empty one.
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
    rows = -(-len(series) // 3)
    figure = Figure(figsize=(12, 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, 3, squeeze=False)
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
