"""One evaluation, from flags to tables and a report: opens every part and hands it to the next."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax

from scan_jax.core.config import apply_overrides
from scan_jax.core.distributed import is_first, keep_compilations, on_process_zero
from scan_jax.core.errors import UserError, told_of
from scan_jax.core.folder_lock import held
from scan_jax.core.run_layout import CONFIG, EVALUATION, SCORES
from scan_jax.core.types import require_32_bits
from scan_jax.evaluation.benchmark import Benchmark, open_benchmark
from scan_jax.evaluation.entries import (
    Devices,
    Entry,
    baselines_for,
    find_baseline,
    from_run,
    local_devices,
    with_unique_names,
)
from scan_jax.evaluation.exchange import from_predictions, write_test
from scan_jax.evaluation.protocols import Protocol
from scan_jax.evaluation.report.gallery import choose, kept_in, make_cases
from scan_jax.evaluation.report.page import write_report
from scan_jax.evaluation.results import Conditions, Results
from scan_jax.evaluation.scoring import MetricSuite, ScoreStore, Share, measure
from scan_jax.evaluation.tables.files import screen_text, write_tables
from scan_jax.evaluation.tables.paper_table import measured_table
from scan_jax.inference.trained import NEWEST, Trained, split
from scan_jax.metrics.api import AnyMetric, SetMetric, collect_metrics

log = logging.getLogger(__name__)
RANKED_BY = "standard/psnr"  # which photographs the report shows


def run_evaluation(flags: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Measures everybody that the flags name and writes tables and a report, or writes the test alone."""
    require_32_bits()
    keep_compilations()
    apply_overrides({}, overrides)  # refuses what is none
    trained = {folder: Trained.load(folder) for folder in _runs(flags)}
    first = next(iter(trained.values()), None)
    of_run = first is not None and not flags.protocol and not overrides
    with told_of(first.folder / CONFIG) if first and of_run else contextlib.nullcontext():
        protocol, benchmark = open_benchmark(
            flags.protocol,
            first.config if first else {},
            first.folder.resolve().name if first else "",
            overrides,
            max((one.method.num_labels for one in trained.values()), default=0),
        )
    if flags.write_test:
        write_test(flags.write_test, benchmark)
        log.info("wrote the test to %s; measure results with --predictions DIR", flags.write_test)
        return
    devices = local_devices()
    batch_size = min(benchmark.batch_size, len(benchmark.rows()))
    benchmark = dataclasses.replace(benchmark, batch_size=-(-batch_size // devices.count) * devices.count)
    entries = _entries(flags, trained, benchmark, devices)
    metrics = _metrics(flags.metrics, benchmark.conditions)
    out = flags.out or _out(flags.run, protocol, flags.protocol)
    with contextlib.ExitStack() as stack:  # a folder that cannot be written to is found before hours of measuring
        on_process_zero(lambda: stack.enter_context(held(out, "name another folder with --out")))
        log.info("%s", benchmark.conditions.line())
        results = _measure(entries, benchmark, MetricSuite(metrics, devices.share, devices.copy), out / SCORES)
        if is_first():
            _write(out, results, protocol)


def _out(run: Path | None, protocol: Protocol, flag: str) -> Path:
    """In the run folder, such as "own" or "faces64"; a test that was changed has a folder of its own.

    So has each checkpoint that was named, such as own@best.
    """
    name = Path(flag.partition(":")[0]).stem or "own"
    _, changed, what = protocol.name.partition(" with ")
    name += f"_{hashlib.sha256(what.encode()).hexdigest()[:8]}" if changed else ""
    folder, which = split(run) if run else (Path(), NEWEST)
    return folder / EVALUATION / (name if which == NEWEST else f"{name}@{which}")


def _runs(flags: argparse.Namespace) -> list[Path]:
    """Every run folder that is named, the first in front."""
    if flags.against and not flags.run:
        raise UserError("--against compares with the network of --run; name that one, too")
    named = [*filter(None, [flags.run]), *flags.against]
    twice = [folder for i, folder in enumerate(named) if folder.resolve() in (one.resolve() for one in named[:i])]
    if twice:
        raise UserError(f"{twice[0]} is named twice; name every run once")
    return named


def _entries(
    flags: argparse.Namespace, trained: Mapping[Path, Trained], benchmark: Benchmark, devices: Devices
) -> list[Entry]:
    """In the order of the table."""
    entries: list[Entry] = []
    for folder, one in trained.items():
        wanted = one.config.get("evaluation", {}).get("refine", ()) if flags.refine is None else flags.refine
        entries += from_run(folder, one, tuple(wanted), benchmark.size, devices)
    entries += [from_predictions(folder, benchmark) for folder in flags.predictions]
    labels = benchmark.photographs[0].get("labels")
    # The class mean knows what lies in the hole; beside networks that do not, it would be no floor.
    conditioned = any(one.method.num_labels for one in trained.values())
    usual = baselines_for(labels if conditioned else None)
    entries += usual if flags.baselines is None else [find_baseline(key, labels) for key in flags.baselines]
    if not entries:
        raise UserError("nothing to measure; name a --run, --predictions or --baselines")
    return with_unique_names(entries)


def _metrics(wanted: Sequence[str], conditions: Conditions) -> dict[str, AnyMetric]:
    """The columns; what the test is too small for is an error where it was asked for by name, or else left out."""
    kept = {}
    for name, metric in {**collect_metrics(wanted), **collect_metrics([RANKED_BY])}.items():
        if conditions.size < metric.least_side:
            lacking = f"needs at least {metric.least_side} pixels a side, the test has {conditions.size}"
        elif isinstance(metric, SetMetric) and conditions.count < metric.least:
            lacking = f"needs at least {metric.least} images, the test has {conditions.count}"
        else:
            kept[name] = metric
            continue
        if name in wanted:
            raise UserError(f"{name} {lacking}; leave it out, or enlarge the test")
        log.warning("without %s: it %s", name, lacking)
    return kept


def _measure(entries: Sequence[Entry], benchmark: Benchmark, suite: MetricSuite, folder: Path) -> Results:
    """Everybody on the same benchmark, and the photographs that the report shows."""
    found = measure(entries, benchmark, suite, folder, Share(jax.process_index(), jax.process_count()))
    choices, about = choose(found[0].completion, RANKED_BY), suite.depends_on(benchmark)
    shown = {
        one.name: kept_in(ScoreStore(folder, f"{one.key}_shown", [*about, *(one.depends_on or ()), *choices]), one.fill)
        for one in entries
    }
    cases = make_cases(choices, benchmark, shown, entries[0].engine)
    return Results(benchmark.conditions, suite.metrics, found, tuple(cases))


def _write(out: Path, results: Results, protocol: Protocol) -> None:
    """Tables and report; the table of the standard definitions goes to the screen."""
    papers = [measured_table(table, protocol, results) for table in protocol.tables]
    write_tables(out, results, papers)
    write_report(out / "report.html", results, papers)
    shown = {name: metric for name, metric in results.metrics.items() if name.startswith("standard/")}
    log.info("\n%s", screen_text(dataclasses.replace(results, metrics=shown), papers))
    log.info("tables and report.html are in %s", out)
