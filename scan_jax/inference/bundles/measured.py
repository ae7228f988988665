"""What was measured of a network, as its run folder keeps it: for the model card."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scan_jax.core.run_layout import EVALUATION

log = logging.getLogger(__name__)
SHORT = 12  # digits of a network's hash in a results file
GROUP = "standard/"  # of definitions; the others differ by a paper's habits


@dataclasses.dataclass(frozen=True)
class Measured:
    """A table, and how it came about.

    Attributes:
      command: that measured.
      table: Markdown, with the protocol in a line below.
      time: when it was written, in seconds since 1970.
    """

    command: str
    table: str
    time: float


def newest(folder: Path, step: int, identity: str) -> Measured | None:
    """The newest table of this very network: that of another step would say nothing of it.

    Args:
      folder: of the run.
      step: of the network.
      identity: hash of its generator.
    """
    found = [*_while_training(folder, step), *_by_evaluations(folder, identity)]
    return max(found, key=lambda one: one.time, default=None)


def _while_training(folder: Path, step: int) -> Iterator[Measured]:
    """The training command's own table."""
    path = folder / f"step_{step:08d}.md"
    if path.is_file():
        text = path.read_text(encoding="utf-8").strip()
        yield Measured(f"python -m scan_jax.main, after step {step}", text, path.stat().st_mtime)


def _by_evaluations(folder: Path, identity: str) -> Iterator[Measured]:
    """Those of the evaluation command."""
    for path in sorted(folder.glob(f"{EVALUATION}/*/results.json")):
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
            ours = [entry for entry in results["entries"] if entry["details"].get("parameters") == identity[:SHORT]]
            if ours:
                command = f"python -m scan_jax evaluate --run={ours[0]['details']['folder']}"
                if path.parent.name.partition("@")[0] != "own":
                    command += f" with the protocol {path.parent.name}"
                yield Measured(command, _table(results, ours), path.stat().st_mtime)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read (%s), and is left out of the model card", path, error)


def _table(results: Mapping[str, Any], ours: list[Mapping[str, Any]]) -> str:
    """A row for each bucket of the network, alone and refined, and of the methods without training."""
    metrics = {name: metric for name, metric in results["metrics"].items() if name.startswith(GROUP)}
    sets = {name: metric for name, metric in results["metrics"].items() if metric["of"] == "set"}
    columns = [*metrics.items(), *((name, metric) for name, metric in sets.items() if name not in metrics)]
    entries = [*ours, *(entry for entry in results["entries"] if entry["kind"] == "baseline")]
    titles = [" ".join(filter(None, (metric["title"], metric["unit"]))) for _, metric in columns]
    lines = ["| " + " | ".join(["filled by", "hole", *titles]) + " |", "| --- |" + " ---: |" * (1 + len(titles))]
    for entry in entries:
        for bucket in entry["completion"]:
            values = [_value(entry, bucket, name, metric) for name, metric in columns]
            lines.append("| " + " | ".join([entry["name"], bucket, *values]) + " |")
    return "\n".join([*lines, "", results["protocol_line"]])


def _value(entry: Mapping[str, Any], bucket: str, name: str, metric: Mapping[str, Any]) -> str:
    """A mean, or the one value of a set; a dash where there is none."""
    of_images, of_sets = entry["completion"][bucket], entry["sets"].get(bucket, {})
    value = of_images[name].get("mean") if name in of_images else of_sets.get(name)
    return "–" if value is None else f"{float(value):.{metric['decimals']}f}"  # noqa: RUF001 (a dash)
