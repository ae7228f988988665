"""One evaluation, from flags to tables and a report: opens every room's part and hands it to the next."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax

from scan_jax.core.distributed import keep_compilations
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import EVALUATION, SCORES
from scan_jax.evaluation.baselines import baselines_for
from scan_jax.evaluation.benchmark import Opened, open_test
from scan_jax.evaluation.entries import Contestant, from_baseline, from_predictions, from_run, with_unique_names
from scan_jax.evaluation.evaluator import Devices, Judge, local_devices
from scan_jax.evaluation.exchange import write_test
from scan_jax.evaluation.filling import COMPLETION, PREDICTION
from scan_jax.evaluation.paper_table import measured_table
from scan_jax.evaluation.report import write_report
from scan_jax.evaluation.results import Conditions, Entry, Results
from scan_jax.evaluation.score_store import ScoreStore
from scan_jax.evaluation.scoring import Share, Test, choose, kept_in, make_cases, photograph_vectors, score, score_sets
from scan_jax.evaluation.tables import screen_text, write_tables
from scan_jax.inference.trained import NEWEST, Trained, split
from scan_jax.metrics import api
from scan_jax.metrics.api import AnyMetric, SetMetric

log = logging.getLogger(__name__)
SHOWN = "standard/"  # what the screen has; the files have everything
RANKED_BY = "standard/psnr"  # which photographs the report shows


def examine(flags: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Measures everybody that the flags name and writes tables and a report, or writes the test alone.

    Raises:
      UserError: whatever the user can put right.
    """
    keep_compilations()
    trained = {folder: Trained.load(folder) for folder in _runs(flags)}
    first = next(iter(trained.values()), None)
    opened = open_test(
        flags.protocol,
        first.config if first else {},
        first.folder.resolve().name if first else "",
        overrides,
        max((one.method.num_labels for one in trained.values()), default=0),
    )
    if flags.write_test:
        write_test(flags.write_test, opened.test, opened.conditions)
        log.info("wrote the test to %s; measure results with --predictions DIR", flags.write_test)
        return
    devices = local_devices()
    batch_size = min(opened.test.batch_size, len(opened.test.rows()))
    test = dataclasses.replace(opened.test, batch_size=devices.whole(batch_size))
    contestants = _contestants(flags, trained, test, opened.conditions.size, devices)
    metrics = _metrics(flags.metrics, opened)
    out = flags.out or _out(flags.run, _folder_name(opened, flags.protocol))
    _try_to_write(out)
    log.info("%s", opened.conditions.line())
    results = _measure(contestants, opened, test, metrics, out, devices)
    if jax.process_index() == 0:
        _write(out, results, opened)


def _out(run: Path | None, name: str) -> Path:
    """In the run folder; each checkpoint that was named has tables of its own, such as own@best."""
    folder, which = split(run) if run else (Path(), NEWEST)
    return folder / EVALUATION / (name if which == NEWEST else f"{name}@{which}")


def _runs(flags: argparse.Namespace) -> list[Path]:
    """Every run folder that is named, the first in front."""
    if flags.against and not flags.run:
        raise UserError("--against compares with the network of --run; name that one, too")
    named = [*([flags.run] if flags.run else []), *flags.against]
    twice = [folder for i, folder in enumerate(named) if folder.resolve() in (one.resolve() for one in named[:i])]
    if twice:
        raise UserError(f"{twice[0]} is named twice; name every run once")
    return named


def _contestants(
    flags: argparse.Namespace, trained: Mapping[Path, Trained], test: Test, size: int, devices: Devices
) -> list[Contestant]:
    """In the order of the table."""
    found = []
    for folder, one in trained.items():
        wanted = one.config.get("evaluation", {}).get("refine", ()) if flags.refine is None else flags.refine
        found += from_run(folder, one, tuple(wanted), size, devices)
    found += [from_predictions(folder, test) for folder in flags.predictions]
    # The class mean knows what lies in the hole; beside networks that do not, it would be no floor.
    conditioned = any(one.method.num_labels for one in trained.values())
    usual = [baseline.key for baseline in baselines_for(test.photographs[0].get("labels") if conditioned else None)]
    found += [from_baseline(key, test) for key in (usual if flags.baselines is None else flags.baselines)]
    if not found:
        raise UserError("nothing to measure; name a --run, --predictions or --baselines")
    return with_unique_names(found)


def _metrics(asked: Sequence[str], opened: Opened) -> dict[str, AnyMetric]:
    """The columns; what the test is too small for is an error where it was asked for by name, or else left out."""
    kept = {}
    for name, metric in api.collect_metrics([*(asked or api.names()), RANKED_BY]).items():
        lacking = _lacking(metric, opened.conditions)
        if not lacking:
            kept[name] = metric
        elif name in asked:
            raise UserError(f"{name} {lacking}; leave it out, or enlarge the test")
        else:
            log.warning("without %s: it %s", name, lacking)
    return kept


def _lacking(metric: AnyMetric, conditions: Conditions) -> str:
    """What the metric needs more than the test has, or nothing."""
    if conditions.size < metric.least_side:
        return f"needs at least {metric.least_side} pixels a side, the test has {conditions.size}"
    if isinstance(metric, SetMetric) and conditions.count < metric.least:
        return f"needs at least {metric.least} images, the test has {conditions.count}"
    return ""


def _measure(
    contestants: Sequence[Contestant],
    opened: Opened,
    test: Test,
    metrics: Mapping[str, AnyMetric],
    out: Path,
    devices: Devices,
) -> Results:
    """Everybody on the same test."""
    judge, share = Judge(metrics, devices.share, devices.copy), Share(jax.process_index(), jax.process_count())
    about = [*_about(opened, test), *(f"{name}: {metric.definition}" for name, metric in metrics.items())]
    of_photographs = ScoreStore(out / SCORES, "photographs", about)
    truth = photograph_vectors(test, judge, of_photographs, share)
    sets = {name: metric for name, metric in metrics.items() if isinstance(metric, SetMetric)}
    entries = []
    for one in contestants:
        store = ScoreStore(out / SCORES, one.key, [*about, *one.depends_on])
        found = score(one.fill, test, judge, title=one.name, store=store, share=share)
        entries.append(
            Entry(
                name=one.name,
                kind=one.kind,
                details=one.details,
                completion=found.scores[COMPLETION],
                prediction=found.scores.get(PREDICTION, {}),
                sets=score_sets(sets, truth, found.vectors),
                images_per_second=None if one.kind == "predictions" else found.images_per_second,
                config=one.config,
                folder=one.folder,
            )
        )
    choices = choose(entries[0].completion, RANKED_BY)
    shown = {
        one.name: kept_in(ScoreStore(out / SCORES, f"{one.key}_shown", [*about, *one.depends_on, *choices]), one.fill)
        for one in contestants
    }
    cases = make_cases(choices, test, shown, contestants[0].engine)
    return Results(opened.conditions, metrics, tuple(entries), tuple(cases))


def _about(opened: Opened, test: Test) -> list[object]:
    """What every score depends on."""
    return [test.digest, opened.conditions.completion, test.batch_size]


def _write(out: Path, results: Results, opened: Opened) -> None:
    """Tables and report; the table of the standard definitions goes to the screen."""
    papers = [measured_table(table, opened.protocol, results) for table in opened.protocol.tables]
    write_tables(out, results, papers)
    write_report(out / "report.html", results, papers)
    shown = {name: metric for name, metric in results.metrics.items() if name.startswith(SHOWN)}
    log.info("\n%s", screen_text(dataclasses.replace(results, metrics=shown), papers))
    log.info("tables and report.html are in %s", out)


def _folder_name(opened: Opened, protocol: str) -> str:
    """Such as "own", "faces64" or "scan_celeba_hq"; a test that was changed has a folder of its own."""
    name = Path(protocol.partition(":")[0]).stem or "own"
    _, changed, what = opened.protocol.name.partition(" with ")
    return f"{name}_{hashlib.sha256(what.encode()).hexdigest()[:8]}" if changed else name


def _try_to_write(out: Path) -> None:
    """Refuses a folder that cannot be written to before hours of measuring, not after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror or error}; name another folder with --out") from error
