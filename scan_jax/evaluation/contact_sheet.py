"""The same held-out photographs all through a run: input, labels, every stage, where pixels look, truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scan_jax.evaluation.heat_map import choose_points, overlay
from scan_jax.evaluation.scoring import Photographs
from scan_jax.images.contact_sheet import save_grid, tint_hole
from scan_jax.images.palette import paint

COUNT = 6  # photographs, at most
LOOKING = 2  # hole pixels of each photograph whose attention is shown


class ContactSheet:
    """Photographs with one hole each, from bucket to bucket, and a picture of what becomes of them.

    Attributes:
      image: float32 [n,S,S,3] in [0, 1].
      known: float32 [n,S,S,1].
      labels: int32 [n,S,S], or None where the photographs have none.
      points: int32 [n,2,2], (row, column) of hole pixels.
    """

    def __init__(self, photographs: Photographs, holes: Mapping[str, np.ndarray], num_labels: int = 0) -> None:
        """From held-out photographs and fixed holes by bucket, bool [.,S,S]; `num_labels` is 0 without labels."""
        buckets, count = list(holes), min(COUNT, len(photographs))
        self._buckets = [buckets[i % len(buckets)] for i in range(count)]
        self._num_labels = num_labels
        photos = [photographs[i] for i in range(count)]
        hole = np.stack([holes[bucket][i % len(holes[bucket])] for i, bucket in enumerate(self._buckets)])  # [n,S,S]
        self.image = np.stack([photo["image"] for photo in photos]).astype(np.float32) / 255
        self.known = 1 - hole[..., None].astype(np.float32)
        self.labels = np.stack([photo["labels"] for photo in photos]).astype(np.int32) if num_labels else None
        self.points = np.stack([choose_points(known, LOOKING) for known in self.known]).astype(np.int32)

    def write(self, path: Path, stages: Mapping[str, np.ndarray], looks: Mapping[str, np.ndarray]) -> None:
        """A PNG with a row for each photograph.

        Args:
          path: the file.
          stages: predictions by name, each [n,S,S,3] in [0, 1]; their completions are shown.
          looks: what `points` attend to by name, each [n,2,S,S]; shown over the input, red for most.

        Raises:
          UserError: the file cannot be written.
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
        visible = self.image * self.known  # [n,S,S,3]
        return np.stack([overlay(*each) for each in zip(visible, weights, self.points[:, index])])
