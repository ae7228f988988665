"""A paper's table with measured rows beside its own, in its shape; what was not measured says so."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from scan_jax.evaluation.protocol import Protocol
from scan_jax.evaluation.published import PublishedRow, PublishedTable
from scan_jax.evaluation.published_tables import DEFAULTS
from scan_jax.evaluation.results import Entry, Results
from scan_jax.evaluation.statistics import summarize
from scan_jax.evaluation.tables import cells
from scan_jax.evaluation.tables.text_table import TextTable
from scan_jax.metrics.api import Metric

NOT_RUN, NOT_PRINTED, UNDEFINED = "not run", "not printed", "no such metric"
TITLES = {"psnr": "PSNR", "ssim": "SSIM", "mae": "MAE (%)"}
PRINTED_DECIMALS = {"psnr": 2, "ssim": 3, "mae": 2}
Column = tuple[str, str, str]  # dataset, bucket, metric


@dataclasses.dataclass(frozen=True)
class Line:
    """A row, before it is laid out.

    Attributes:
      method: whose numbers.
      source: "paper", or "measured" with the group of definitions.
      cells: by the table's columns.
    """

    method: str
    source: str
    cells: Mapping[Column, str]


def measured_table(table: PublishedTable, protocol: Protocol, results: Results) -> TextTable:
    """The table's rows, each with what was measured for it, then all other entries.

    Args:
      table: as printed.
      protocol: whose dataset the measured columns are; results of another protocol, or of a part of it, stay outside.
      results: of the evaluation.

    Returns:
      Rows of methods; several datasets and buckets stand side by side, with the metrics below each other, or else the
      metrics side by side.
    """
    lines = tuple(_lines(table, protocol, results))
    places = list(dict.fromkeys((dataset, bucket) for dataset, bucket, _ in table.columns))
    remark = " ".join([table.note, *_definitions(table, results), *_origin(protocol, results)])
    if len(places) > 1:
        header = ("", "method", "source", *(f"{dataset} {bucket}" for dataset, bucket in places))
        return TextTable(table.title, header, _stacked(table, lines, places), results.conditions, remark, heads=3)
    ((dataset, bucket),) = places
    return TextTable(
        title=f"{table.title}: {dataset}, holes of {bucket}",
        header=("method", "source", *(TITLES[metric] for _, _, metric in table.columns)),
        rows=tuple((line.method, line.source, *(line.cells[column] for column in table.columns)) for line in lines),
        conditions=results.conditions,
        remark=remark,
        heads=2,
    )


def fills(row: PublishedRow, entry: Entry) -> bool:
    """Whether the entry is what the row is about: the same method and settings, the same optimisation at test time."""
    defaults = DEFAULTS.get(_value_at(entry.config, "method.name", ""), {})
    settings = all(
        _plain(_value_at(entry.config, key, defaults.get(key))) == _plain(wanted) for key, wanted in row.config.items()
    )
    return bool(row.config) and settings and entry.details.get("refined", "") == row.refined


def _lines(table: PublishedTable, protocol: Protocol, results: Results) -> Iterator[Line]:
    taken = set()
    for row in table.rows:
        yield Line(row.name, "paper", {column: _printed(row, column) for column in table.columns})
        entries = [entry for entry in results.entries if fills(row, entry)]
        taken |= {entry.name for entry in entries}
        found = [line for entry in entries for line in _measured(entry, table, protocol, results)]
        yield from found or [Line("", "measured", dict.fromkeys(table.columns, NOT_RUN))]
    for entry in results.entries:
        if entry.name not in taken:
            yield from _measured(entry, table, protocol, results)


def _measured(entry: Entry, table: PublishedTable, protocol: Protocol, results: Results) -> Iterator[Line]:
    """One line for each group of definitions that measured anything."""
    for group in _groups(table, results):
        found = {column: _cell(entry, group, column, protocol, results) for column in table.columns}
        if not set(found.values()) <= {NOT_RUN, UNDEFINED}:
            yield Line(_name(entry, protocol), f"measured, {group}", found)


def _groups(table: PublishedTable, results: Results) -> list[str]:
    """The groups that define any of the table's metrics."""
    wanted = {metric for _, _, metric in table.columns}
    split = (name.split("/", 1) for name in results.metrics)
    return list(dict.fromkeys(group for group, metric in split if metric in wanted))


def _cell(entry: Entry, group: str, column: Column, protocol: Protocol, results: Results) -> str:
    dataset, bucket, metric = column
    name = f"{group}/{metric}"
    if name not in results.metrics:
        return UNDEFINED
    ours = results.conditions.protocol == str(protocol) and _is_dataset(dataset, protocol)
    values = entry.completion.get(bucket, {}).get(name) if ours else None
    return NOT_RUN if values is None else cells.brief(summarize(values), results.metrics[name])


def _is_dataset(dataset: str, protocol: Protocol) -> bool:
    """ "CelebA-HQ" is `config.data.name` "celeba_hq"."""
    return re.sub(r"\W+", "_", dataset.lower()) == protocol.data["name"]


def _name(entry: Entry, protocol: Protocol) -> str:
    """Says what a run was trained on where that is not the protocol's data."""
    data = entry.config.get("data") or {}
    wanted = tuple(protocol.data.get(key) for key in ("name", "size"))
    have = tuple(data.get(key) for key in ("name", "size"))
    return entry.name if not data or have == wanted else f"{entry.name} (trained on {have[0]} at {have[1]})"


def _printed(row: PublishedRow, column: Column) -> str:
    return f"{row.values[column]:.{PRINTED_DECIMALS[column[2]]}f}" if column in row.values else NOT_PRINTED


def _stacked(table: PublishedTable, lines: tuple[Line, ...], places: list[tuple[str, str]]) -> tuple[Any, ...]:
    """All lines for one metric, then all for the next."""
    metrics = dict.fromkeys(metric for _, _, metric in table.columns)
    return tuple(
        (
            TITLES[metric] if i == 0 else "",
            line.method,
            line.source,
            *(line.cells.get((*place, metric), NOT_PRINTED) for place in places),
        )
        for metric in metrics
        for i, line in enumerate(lines)
    )


def _definitions(table: PublishedTable, results: Results) -> list[str]:
    """Of the measured metrics, where there are any."""
    wanted = dict.fromkeys(metric for _, _, metric in table.columns)
    found = [
        f"{name}: {metric.definition}{f', in {metric.unit}' if metric.unit else ''}"
        for name, metric in results.metrics.items()
        if isinstance(metric, Metric) and name.split("/", 1)[-1] in wanted
    ]
    return [f"Measured by {'; '.join(found)}."] if found else []


def _origin(protocol: Protocol, results: Results) -> list[str]:
    if results.conditions.protocol == str(protocol):
        return []
    return [f"Nothing was measured under {protocol}: these results are of {results.conditions.protocol}."]


def _value_at(config: Mapping[str, Any], key: str, default: Any) -> Any:
    """ "method.name" of a nested config, or `default`."""
    for part in key.split("."):
        if not hasattr(config, "get") or part not in config:
            return default
        config = config[part]
    return config


def _plain(value: Any) -> Any:
    """A run's config comes from JSON, where tuples are lists."""
    return tuple(value) if isinstance(value, list) else value
