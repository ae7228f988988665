"""The tables of the papers, as printed there, so that measured rows can stand beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class PublishedRow:
    """One method's line.

    Attributes:
      name: as printed, such as "RN [11]".
      values: by (dataset, bucket, metric), such as ("CelebA-HQ", "20-30%", "psnr").
      config: what a run's config must have to stand beside this line, by dotted key, such as {"method.name": "scan"};
        empty for methods that no run has.
      refined: the optimisation at test time that the line is about; empty for none.
    """

    name: str
    values: Mapping[tuple[str, str, str], float]
    config: Mapping[str, Any]
    refined: str = ""


@dataclasses.dataclass(frozen=True)
class PublishedTable:
    """A table of a paper.

    Attributes:
      title: such as "SCAN (Chen et al. 2021), Table 1".
      columns: (dataset, bucket, metric), in the paper's order.
      rows: in the paper's order.
      note: what a reader must know, such as what the paper leaves open.
    """

    title: str
    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[PublishedRow, ...]
    note: str
