"""A paper's table with measured rows beside its own, in its shape; what was not measured says so."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from scan_jax.evaluation.protocols import DEFAULTS, Column, Protocol, PublishedRow, PublishedTable
from scan_jax.evaluation.results import EntryResult, Results
from scan_jax.evaluation.statistics import summarize
from scan_jax.evaluation.tables.by_bucket import brief
from scan_jax.evaluation.tables.text_table import TextTable

NOT_RUN, NOT_PRINTED, UNDEFINED = "not run", "not printed", "no such metric"
TITLES = {"psnr": "PSNR", "ssim": "SSIM", "mae": "MAE (%)"}
PRINTED_DECIMALS = {"psnr": 2, "ssim": 3, "mae": 2}
Line = tuple[str, ...]  # whose numbers; "paper", or "measured" with the group; and the numbers, in the order of columns


def measured_table(table: PublishedTable, protocol: Protocol, results: Results) -> TextTable:
    """The table's rows, each with what was measured for it, then all other entries.

    Several datasets and buckets stand side by side, with the metrics below each other, or else the metrics do. Columns
    of the protocol's dataset are measured; results of another protocol, or of a part of it, stay outside.
    """
    places = list(dict.fromkeys((dataset, bucket) for dataset, bucket, _ in table.columns))
    remark = " ".join([table.note, *_remarks(table, protocol, results)])
    if len(places) > 1:
        pairs = itertools.pairwise([("", ""), *places])  # a dataset is named above its first bucket, as in the papers
        titles = [bucket if dataset == before else f"{dataset} {bucket}" for (before, _), (dataset, bucket) in pairs]
        rows = tuple(_stacked(table, protocol, results))
        return TextTable(table.title, ("", "method", "source", *titles), rows, results.conditions, remark, heads=3)
    ((dataset, bucket),) = places
    title, header = f"{table.title}: {dataset}, holes of {bucket}", [TITLES[metric] for _, _, metric in table.columns]
    rows = tuple(_lines(table, protocol, results))
    return TextTable(title, ("method", "source", *header), rows, results.conditions, remark, heads=2)


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
        yield row.name, "paper", *(_printed(row, column) for column in table.columns)
        entries = [entry for entry in results.entries if fills(row, entry)]
        taken |= {entry.name for entry in entries}
        found = [line for entry in entries for line in _measured(entry, table, protocol, results)]
        yield from found or [("", "measured", *[NOT_RUN] * len(table.columns))]
    for entry in results.entries:
        if entry.name not in taken:
            yield from _measured(entry, table, protocol, results)


def _measured(entry: EntryResult, table: PublishedTable, protocol: Protocol, results: Results) -> Iterator[Line]:
    """One line for each group of definitions that measured anything."""
    for group in protocol.metrics:
        found = [_cell(entry, group, column, protocol, results) for column in table.columns]
        if not set(found) <= {NOT_RUN, UNDEFINED}:
            yield _name(entry, protocol), f"measured, {group}", *found


def _cell(entry: EntryResult, group: str, column: Column, protocol: Protocol, results: Results) -> str:
    dataset, bucket, metric = column
    name = f"{group}/{metric}"
    if name not in results.metrics:
        return UNDEFINED
    ours = results.conditions.protocol == str(protocol)
    is_dataset = re.sub(r"\W+", "_", dataset.lower()) == protocol.data["name"]  # "CelebA-HQ" is "celeba_hq" there
    values, measured = entry.values(bucket, name) if ours and is_dataset else None, results.metrics[name]
    if values is None:
        return NOT_RUN
    if metric == "mae" and measured.unit != "%":  # as in the papers
        values, measured = 100.0 * values, dataclasses.replace(measured, decimals=max(measured.decimals - 2, 0))
    return brief(summarize(values), measured)


def _name(entry: EntryResult, protocol: Protocol) -> str:
    """Says what a run was trained on where that is not the protocol's data."""
    data = entry.config.get("data") or {}
    wanted = tuple(protocol.data.get(key) for key in ("name", "size"))
    have = tuple(data.get(key) for key in ("name", "size"))
    return entry.name if not data or have == wanted else f"{entry.name} (trained on {have[0]} at {have[1]})"


def _printed(row: PublishedRow, column: Column) -> str:
    return f"{row.values[column]:.{PRINTED_DECIMALS[column[2]]}f}" if column in row.values else NOT_PRINTED


def _stacked(table: PublishedTable, protocol: Protocol, results: Results) -> Iterator[tuple[str, ...]]:
    """All rows for one metric, then all for the next."""
    for metric in dict.fromkeys(metric for _, _, metric in table.columns):
        columns = tuple(column for column in table.columns if column[2] == metric)
        lines = _lines(dataclasses.replace(table, columns=columns), protocol, results)
        yield from ((TITLES[metric] if i == 0 else "", *line) for i, line in enumerate(lines))


def _remarks(table: PublishedTable, protocol: Protocol, results: Results) -> Iterator[str]:
    """The definitions of the measured metrics, and what was not measured under the protocol."""
    wanted = dict.fromkeys(metric for _, _, metric in table.columns)
    names = [f"{group}/{metric}" for group in protocol.metrics for metric in wanted]
    found = [f"{name}: {results.metrics[name].definition}" for name in names if name in results.metrics]
    if found:
        yield f"Measured by {'; '.join(found)}."
    if results.conditions.protocol != str(protocol):
        yield f"Nothing was measured under {protocol}: these results are of {results.conditions.protocol}."


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
