"""A test that has a name and a version: without it two tables cannot be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

COMPLETION = "prediction rounded to 8 bits in the hole, the photograph itself elsewhere"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Photographs, holes, definitions: everything that must be equal where numbers are compared.

    A test that is not what it says, such as a part of it, loses its name and its tables. The digests of the photographs
    and holes that were measured stand below every table.

    Attributes:
      name: such as "scan_celeba_hq".
      version: raised whenever a number could change.
      data: a config's `data` section; its held-out photographs are measured.
      holes: a config's `holes` section; its held-out holes are used.
      edges: of the buckets of hole ratios, (low, high], as fractions.
      holes_per_bucket: 0 is all that there are.
      photographs: how many, from the first; 0 is all.
      count: as many must have been measured; 0 where that is not known.
      split: how the photographs' name must tell it, hash included; empty where no hash is known.
      holes_digest: of the holes, SHA-256 (hex); empty where they are not at hand to be hashed.
      metrics: groups of definitions, such as "edge_connect".
      tables: the paper's, which measured rows are printed into.
      completion: what is measured.
    """

    name: str
    version: int
    data: Mapping[str, Any]
    holes: Mapping[str, Any]
    edges: tuple[float, ...]
    holes_per_bucket: int = 0
    photographs: int = 0
    count: int = 0
    split: str = ""
    holes_digest: str = ""
    metrics: tuple[str, ...] = ("standard",)
    tables: tuple[PublishedTable, ...] = ()
    completion: str = COMPLETION

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


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
