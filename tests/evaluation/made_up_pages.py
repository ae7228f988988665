"""Pages of the report made up for its tests, and a reader of them."""

import dataclasses
import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np

from scan_jax.evaluation.report.page import write_report
from scan_jax.evaluation.results import Case, Conditions, EntryResult, Results
from scan_jax.metrics.api import Embedding, Metric, SetMetric

WHEN = datetime(2020, 2, 3, 4, 5, tzinfo=UTC)
N, SIDE = 12, 16  # fewer than 10 are given no verdict
BUCKETS = ("10-20%", "20-30%")
DIGESTS = ("ab" * 32, "cd" * 32)
CONDITIONS = Conditions(
    "paper_table1 v3", "portraits, <held> out", DIGESTS[0], "strokes", DIGESTS[1], N, SIDE, "rounded & pasted"
)
METRICS = {
    "standard/psnr": Metric(np.add, "PSNR", "higher", "dB", 2, "over RGB"),
    "standard/mae": Metric(np.add, "MAE", "lower", "%", 3, "over all pixels"),
    "edge_connect/mae": Metric(np.add, "MAE", "lower", "", 4, "relative to the sum of both"),
    "inception/fid": SetMetric(max, Embedding("inception_v3", abs, None), 2, "FID", "lower", "", 1, "of 2048 features"),
    "checks/colour_shift": Metric(np.add, "colour shift", "zero", "%", 2, "mean over the hole"),
}


class Page(HTMLParser):
    """Elements with their attributes, text by section, and the rows of every table by its caption."""

    VOID = {"meta", "img", "br", "link", "input"}

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.tables = [], {"": ""}, {}
        self._section, self._open, self._caption, self._row = "", [], "", None
        self.feed(html)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if tag not in self.VOID:
            self._open.append(tag)
        if tag in ("section", "header"):
            self._section = attrs["id"]
            self.text[self._section] = ""
        if tag == "caption":
            self._caption = ""
        if tag == "tr":
            self._row = []
        if tag in ("td", "th"):
            self._row.append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "caption":
            self.tables.setdefault((self._section, self._caption), [])
        if tag == "tr":
            self.tables[self._section, self._caption].append([" ".join(cell.split()) for cell in self._row])

    def handle_data(self, data):
        self.text[self._section] += data
        if "caption" in self._open:
            self._caption += data
        elif self._open and {"td", "th"} & set(self._open):
            self._row[-1] += data + " "

    def all_of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def scores(seed, *names):
    rng = np.random.default_rng(seed)
    return {bucket: {name: rng.normal(20 + seed, 2, N).astype(np.float32) for name in names} for bucket in BUCKETS}


def entry(name, seed, **changes):
    per_image = [name for name, metric in METRICS.items() if isinstance(metric, Metric)]
    sets = {bucket: {"inception/fid": 12.34 + seed} for bucket in BUCKETS}
    plain = EntryResult(name, "baseline", {"radius": f"{seed} pixels"}, scores(seed, *per_image), {}, sets, 31.25)
    return dataclasses.replace(plain, **changes)


def case(*names, rank="best", index=2):
    rng = np.random.default_rng(index)
    truth, *filled = rng.integers(0, 256, (len(names) + 1, SIDE, SIDE, 3), np.uint8)
    known = (rng.random((SIDE, SIDE, 1)) < 0.7).astype(np.float32)
    return Case("20-30%", index, rank, known, truth, dict(zip(names, filled)), {"attention 1": truth[::-1].copy()})


def write(path, *entries, tables=(), cases=(), metrics=METRICS):
    results = Results(CONDITIONS, metrics, entries, cases)
    write_report(path / "new" / "report.html", results, tables, when=WHEN)
    html = (path / "new" / "report.html").read_text()
    return html, Page(html)


def row_of(page, table, bucket, name):
    """Cells of one entry in one bucket, without the bucket's own."""
    current = ""
    for row in page.tables[table][1:]:
        current, cells = (row[0], row[1:]) if row[0] in BUCKETS else (current, row)
        if current == bucket and cells[0].endswith(name):
            return cells
    raise AssertionError(f"no row of {name} in {bucket}")


def run_folder(folder, steps):
    """A run's folder with the scalars of so many steps."""
    lines = [{"step": 10 * k, "loss/generator": 1 / (k + 1), "term/l1": 2.0} for k in range(steps)]
    lines += [{"step": 10 * k, "eval/psnr/10-20%": 20 + k} for k in (10, 30)]
    (folder / "scalars.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
