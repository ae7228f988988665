"""A paper's table with measured rows beside its own, in its shape; what was not measured says so."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scan_jax.evaluation.protocols import DEFAULTS, Column, Protocol, PublishedRow, PublishedTable
from scan_jax.evaluation.results import EntryResult, Results
from scan_jax.evaluation.statistics import summarize
from scan_jax.evaluation.tables.by_bucket import brief
from scan_jax.evaluation.tables.text_table import TextTable
from scan_jax.metrics.api import AnyMetric

NOT_RUN, NOT_PRINTED, UNDEFINED = "not run", "not printed", "no such metric"
TITLES = {"psnr": "PSNR", "ssim": "SSIM", "mae": "MAE (%)"}
PRINTED_DECIMALS = {"psnr": 2, "ssim": 3, "mae": 2}


class Line(NamedTuple):
    """A row, before it is laid out: whose numbers; "paper", or "measured" with the group; in the order of columns."""

    method: str
    source: str
    cells: tuple[str, ...]


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
    places = list(dict.fromkeys((dataset, bucket) for dataset, bucket, _ in table.columns))
    remark = " ".join([table.note, *_definitions(table, protocol, results), *_origin(protocol, results)])
    if len(places) > 1:
        header = ("", "method", "source", *_place_titles(places))
        rows = tuple(_stacked(table, protocol, results))
        return TextTable(table.title, header, rows, results.conditions, remark, heads=3)
    ((dataset, bucket),) = places
    return TextTable(
        title=f"{table.title}: {dataset}, holes of {bucket}",
        header=("method", "source", *(TITLES[metric] for _, _, metric in table.columns)),
        rows=tuple((line.method, line.source, *line.cells) for line in _lines(table, protocol, results)),
        conditions=results.conditions,
        remark=remark,
        heads=2,
    )


def fills(row: PublishedRow, entry: EntryResult) -> bool:
    """Whether the entry is what the row is about: the same method and settings, the same optimisation at test time."""
    defaults = DEFAULTS.get(_value_at(entry.config, "method.name", ""), {})
    settings = all(
        _plain(_value_at(entry.config, key, defaults.get(key))) == _plain(wanted) for key, wanted in row.config.items()
    )
    return bool(row.config) and settings and entry.details.get("refined", "") == row.refined


def _lines(table: PublishedTable, protocol: Protocol, results: Results) -> Iterator[Line]:
    taken = set()
    for row in table.rows:
        yield Line(row.name, "paper", tuple(_printed(row, column) for column in table.columns))
        entries = [entry for entry in results.entries if fills(row, entry)]
        taken |= {entry.name for entry in entries}
        found = [line for entry in entries for line in _measured(entry, table, protocol, results)]
        yield from found or [Line("", "measured", (NOT_RUN,) * len(table.columns))]
    for entry in results.entries:
        if entry.name not in taken:
            yield from _measured(entry, table, protocol, results)


def _measured(entry: EntryResult, table: PublishedTable, protocol: Protocol, results: Results) -> Iterator[Line]:
    """One line for each group of definitions that measured anything."""
    for group in _groups(table, protocol, results):
        found = tuple(_cell(entry, group, column, protocol, results) for column in table.columns)
        if not set(found) <= {NOT_RUN, UNDEFINED}:
            yield Line(_name(entry, protocol), f"measured, {group}", found)


def _groups(table: PublishedTable, protocol: Protocol, results: Results) -> list[str]:
    """The protocol's groups that define any of the table's metrics."""
    wanted = [metric for _, _, metric in table.columns]
    return [group for group in protocol.metrics if any(f"{group}/{metric}" in results.metrics for metric in wanted)]


def _cell(entry: EntryResult, group: str, column: Column, protocol: Protocol, results: Results) -> str:
    dataset, bucket, metric = column
    name = f"{group}/{metric}"
    if name not in results.metrics:
        return UNDEFINED
    ours = results.conditions.protocol == str(protocol) and _is_dataset(dataset, protocol)
    values = entry.completion.get(bucket, {}).get(name) if ours else None
    if values is None:
        return NOT_RUN
    shown, factor = _as_printed(results.metrics[name], metric)
    return brief(summarize(factor * values), shown)


def _as_printed(measured: AnyMetric, metric: str) -> tuple[AnyMetric, float]:
    """The metric in the papers' unit, and the factor that takes its values there: their MAE is in %."""
    if metric != "mae" or measured.unit == "%":
        return measured, 1.0
    return dataclasses.replace(measured, unit="%", decimals=max(measured.decimals - 2, 0)), 100.0


def _is_dataset(dataset: str, protocol: Protocol) -> bool:
    """ "CelebA-HQ" is `config.data.name` "celeba_hq"."""
    return re.sub(r"\W+", "_", dataset.lower()) == protocol.data["name"]


def _name(entry: EntryResult, protocol: Protocol) -> str:
    """Says what a run was trained on where that is not the protocol's data."""
    data = entry.config.get("data") or {}
    wanted = tuple(protocol.data.get(key) for key in ("name", "size"))
    have = tuple(data.get(key) for key in ("name", "size"))
    return entry.name if not data or have == wanted else f"{entry.name} (trained on {have[0]} at {have[1]})"


def _printed(row: PublishedRow, column: Column) -> str:
    return f"{row.values[column]:.{PRINTED_DECIMALS[column[2]]}f}" if column in row.values else NOT_PRINTED


def _place_titles(places: list[tuple[str, str]]) -> Iterator[str]:
    """A dataset is named above the first of its buckets, as the papers do."""
    named = set()
    for dataset, bucket in places:
        yield bucket if dataset in named else f"{dataset} {bucket}"
        named.add(dataset)


def _stacked(table: PublishedTable, protocol: Protocol, results: Results) -> Iterator[tuple[str, ...]]:
    """All rows for one metric, then all for the next."""
    for metric in dict.fromkeys(metric for _, _, metric in table.columns):
        columns = tuple(column for column in table.columns if column[2] == metric)
        lines = _lines(dataclasses.replace(table, columns=columns), protocol, results)
        yield from (
            (TITLES[metric] if i == 0 else "", line.method, line.source, *line.cells) for i, line in enumerate(lines)
        )


def _definitions(table: PublishedTable, protocol: Protocol, results: Results) -> list[str]:
    """Of the measured metrics, where there are any."""
    wanted = dict.fromkeys(metric for _, _, metric in table.columns)
    names = [f"{group}/{metric}" for group in protocol.metrics for metric in wanted]
    found = [f"{name}: {results.metrics[name].definition}" for name in names if name in results.metrics]
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
