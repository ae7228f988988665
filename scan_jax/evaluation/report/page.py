"""Everything of an evaluation on one page."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import jinja2
import numpy as np
from markupsafe import Markup

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.config import flatten
from scan_jax.evaluation.report import charts, scores
from scan_jax.evaluation.report.gallery import show_cases
from scan_jax.evaluation.results import COMPLETION, PREDICTION, Results
from scan_jax.evaluation.statistics import MIN_FOR_VERDICT, printed, subtracted, verdict
from scan_jax.evaluation.tables.text_table import TextTable
from scan_jax.metrics.api import GROUPS


def write_report(
    path: Path, results: Results, tables: Sequence[TextTable] = (), *, when: datetime | None = None
) -> None:
    """Writes one HTML file with everything in it: nothing is loaded from elsewhere, no script runs.

    With two runs in `results` the page compares them; further `tables` are printed as they are. `when` is the page's
    date, by default now: equal arguments make equal bytes. UserError where the file cannot be written.
    """
    loader = jinja2.PackageLoader("scan_jax.evaluation.report")
    pages = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = Markup(loader.get_source(pages, "style.css")[0])
    content = _content(results, tables, when or datetime.now(UTC))
    write_atomically(path, pages.get_template("page.html.j2").render(style=style, **content).encode())


def _content(results: Results, tables: Sequence[TextTable], when: datetime) -> dict[str, Any]:
    """What the template shows, by the names that it uses."""
    names_of = scores.groups_of(results)
    groups = [_group(results, key, names) for key, names in names_of.items()]
    main, *_ = each = [scores.per_image(results, names) for names in names_of.values()]
    # Pictures and findings speak of PSNR, of the first group that has one.
    order = [name for names in each for name in names]
    shown = next((name for name in order if name.endswith("/psnr")), next(iter(order), ""))
    return {
        "title": _title(results),
        "when": when.strftime("%Y-%m-%d %H:%M %Z").strip(),
        "results": results,
        "findings": _findings(results, shown),
        "kinds": KINDS,
        "groups": groups,
        "absent": [name for name in GROUPS if name not in {group["key"] for group in groups}],
        "charts": charts.bucket_charts(results, main),
        "difference_charts": charts.difference_charts(results, main),
        "tables": tables,
        "training": charts.read_training(results),
        "gallery": show_cases(results, shown),
        "configs": read_configs(results),
        "environment": environment(),
        "names": {i: entry.name for i, entry in enumerate(results.entries)},
        "other_names": {i: entry.name for i, entry in enumerate(results.entries) if i},
        "signs": charts.SIGNS,
        "min_for_verdict": MIN_FOR_VERDICT,
    }


def _title(results: Results) -> str:
    first, *others = [entry.name for entry in results.entries]
    if len(others) > 3:
        return f"{first} against {len(others)} others"
    return f"{first} against {' and '.join(filter(None, [', '.join(others[:-1]), others[-1]]))}" if others else first


def _findings(results: Results, name: str) -> list[str]:
    """One sentence for each other entry: by how much the first one differs, and where it is better."""
    if name not in results.metrics:
        return []
    metric, sentences = results.metrics[name], []
    for other in results.entries[1:]:
        each = [results.difference(other, bucket, name) for bucket in results.buckets]
        found = [one for one in each if one is not None and not np.isnan(one.mean)]
        if found:
            means = [one.mean for one in found]
            low, high = (printed(mean, metric, "+") for mean in (min(means), max(means)))
            verdicts = [verdict(one, metric.better) for one in found]
            reach = low if low == high else f"{low} to {high}"
            extent = f"{subtracted(metric.title, metric.better)} {reach} {metric.unit}".rstrip()
            sentences.append(f"Against {other.name}: {extent}, {_count(verdicts)}.")
    return sentences


def _count(verdicts: Sequence[str]) -> str:
    """Such as "better in 3 of 5 buckets, undecided in 2"."""
    words = {"better": "better", "worse": "worse", "open": "undecided", "": "no verdict"}
    counts = [(word, verdicts.count(given)) for given, word in words.items() if given in verdicts]
    (word, count), *others = counts
    told = f"{word} in {count} of {len(verdicts)} buckets" + "".join(f", {each} in {n}" for each, n in others)
    return f"{told} (fewer than {MIN_FOR_VERDICT} images)" if "" in verdicts else told


def _group(results: Results, key: str, names: Sequence[str]) -> dict[str, Any]:
    """One paper's definitions: its tables, None where there is nothing to show, and (title, clause) of its metrics."""
    images = scores.per_image(results, names)
    sets = tuple(name for name in names if name not in images)
    predictions = [own for entry in results.entries for own in entry.prediction.values()]
    predicted = any(name in own for own in predictions for name in images)
    against = f"{results.entries[0].name} minus each other entry"
    compared = images and len(results.entries) > 1
    return {
        "key": key,
        "title": scores.GROUP_TITLES.get(key, f"Definitions of {key}"),
        "images": scores.score_table(results, images, COMPLETION, "Completed images") if images else None,
        "predictions": scores.score_table(results, images, PREDICTION, "Raw predictions") if predicted else None,
        "sets": scores.set_table(results, sets, "Sets of completed images") if sets else None,
        "differences": scores.difference_table(results, images, against) if compared else None,
        "definitions": [(results.metrics[name].title, results.metrics[name].definition) for name in names],
    }


PACKAGES = ("scan_jax", "jax", "jaxlib", "flax", "numpy", "opencv-python-headless", "pillow", "safetensors")
KINDS = {"run": "trained network", "predictions": "folder of results", "baseline": "needs no training"}


def read_configs(results: Results) -> dict[str, Any]:
    """Of all entries that have one, one for each folder.

    "names": of the entries; those that share a folder are one. "differing": values by dotted key, in the names' order,
    where not all are equal; empty for one run. "full": all of it as JSON, by name.
    """
    named = charts.one_per_folder([entry for entry in results.entries if entry.config])
    flat = [flatten(entry.config, with_empty=True) for entry in named.values()]
    lines = {}
    for key in sorted({key for one in flat for key in one}):
        lines[key] = tuple(json.dumps(one[key], default=_plain) if key in one else "not there" for one in flat)
    differing = {key: values for key, values in lines.items() if len(set(values)) > 1}
    full = {name: json.dumps(entry.config, indent=2, default=_plain) for name, entry in named.items()}
    return {"names": tuple(named), "differing": differing, "full": full}


def environment() -> dict[str, str]:
    """Interpreter, machine, devices and the versions of the packages that can change a number."""
    devices = jax.devices()
    kinds = sorted({device.device_kind for device in devices})
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # such as a copy run from its sources
            versions[name] = importlib.metadata.version(name)
    return {
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "devices": f"{len(devices)} x {', '.join(kinds)} ({devices[0].platform})",
    } | versions


def _plain(value: Any) -> Any:
    """Of what JSON does not know: mappings and sequences of other classes, and text for the rest."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, (tuple, set, frozenset)) else str(value)
