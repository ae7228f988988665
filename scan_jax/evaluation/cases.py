"""The photographs that a report shows: the best, the median and the worst of each bucket."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from scan_jax.core.types import Observation
from scan_jax.evaluation.filling import COMPLETION, Batch, Fill, Pictures, Row
from scan_jax.evaluation.heat_map import choose_points, overlay
from scan_jax.evaluation.results import Case, Scores
from scan_jax.evaluation.score_store import ScoreStore
from scan_jax.evaluation.scoring import Test
from scan_jax.inference.engine import Engine

LOOKING = 2  # hole pixels whose attention is shown
Rank = Literal["best", "median", "worst"]


class Choice(NamedTuple):
    """One photograph of one bucket, and why it is shown."""

    row: Row
    rank: Rank


def choose(scores: Scores, metric: str) -> list[Choice]:
    """By the first entry's score, higher is better; fewer where a bucket has less than three photographs."""
    chosen = []
    for bucket, found in scores.items():
        order = np.argsort(found[metric], kind="stable")  # worst first
        places: dict[Rank, int] = {"best": len(order) - 1, "median": len(order) // 2, "worst": 0}
        seen: set[int] = set()
        for rank, place in places.items():
            if len(order) and place not in seen:
                chosen.append(Choice(Row(bucket, int(order[place])), rank))
                seen.add(place)
    return chosen


def kept_in(store: ScoreStore, fill: Fill) -> Fill:
    """`fill`, whose completions are kept: a method may take minutes for what is shown."""
    numbers = itertools.count()

    def kept(batch: Batch) -> Pictures:
        index = next(numbers)
        pictures = store.read(index)
        if pictures is None:
            pictures = {COMPLETION: fill(batch)[COMPLETION]}
            store.write(index, pictures)
        return pictures

    return kept


def make_cases(choices: Sequence[Choice], test: Test, fills: Mapping[str, Fill], engine: Engine | None) -> list[Case]:
    """Fills the chosen holes again, by everyone.

    Args:
      choices: what is shown.
      test: the photographs and holes.
      fills: by the entry's name.
      engine: the first entry's network, whose attention is shown where it has some; None for others.
    """
    cases = []
    for first in range(0, len(choices), test.batch_size):
        some = choices[first : first + test.batch_size]
        batch = test.batch([choice.row for choice in some])
        filled = {name: fill(batch)[COMPLETION] for name, fill in fills.items()}  # uint8 [B,S,S,3]
        known = 1 - batch.holes[..., None].astype(np.float32)  # [B,S,S,1]
        looks = _looks(engine, batch.photographs, known, batch.labels) if engine and engine.method.maps else {}
        for i, (row, rank) in enumerate(some):
            completions = {name: images[i] for name, images in filled.items()}
            own_looks = {name: images[i] for name, images in looks.items()}
            cases.append(Case(row.bucket, row.index, rank, known[i], batch.photographs[i], completions, own_looks))
    return cases


def _looks(
    engine: Engine, photographs: np.ndarray, known: np.ndarray, labels: np.ndarray | None
) -> dict[str, np.ndarray]:
    """What pixels of each hole attend to: by title, uint8 [B,S,S,3]."""
    visible = photographs.astype(np.float32) / np.float32(255) * known  # [B,S,S,3]
    points = np.stack([choose_points(one, LOOKING) for one in known]).astype(np.int32)  # [B,P,2]
    arrays = (visible, known, labels if engine.method.num_labels else None)
    maps = engine.look(Observation(*arrays), points)  # type: ignore[arg-type] # each [B,P,S,S]
    return {
        f"{name} {p + 1}": np.stack(
            [np.round(255 * overlay(*seen)).astype(np.uint8) for seen in zip(visible, weights[:, p], points[:, p])]
        )
        for name, weights in maps.items()
        for p in range(LOOKING)
    }
