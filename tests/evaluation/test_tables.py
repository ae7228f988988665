"""Tables on the screen, in Markdown, LaTeX, CSV and JSON: the numbers, and what each form demands."""

import csv
import dataclasses
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from made_up_results import METRICS, conditions, entry, results

from scan_jax.core.errors import UserError
from scan_jax.evaluation.statistics import difference, summarize
from scan_jax.evaluation.tables import text_table
from scan_jax.evaluation.tables.by_bucket import brief, difference_table, entries_table, full, make_tables, score_table
from scan_jax.evaluation.tables.files import screen_text, write_tables
from scan_jax.evaluation.tables.text_table import TextTable
from scan_jax.metrics.api import PooledMetric

LATEX = shutil.which("pdflatex") or shutil.which("tectonic")
LINE = conditions().line()


def written(folder, found, name="results.json"):
    write_tables(folder, found)
    return (folder / name).read_text()


def csv_lines(folder, found):
    return list(csv.DictReader(io.StringIO(written(folder, found, "results.csv"))))


def standard(found, show=full):
    return score_table(found, "standard", show)


def standard_difference(*values):
    (row,) = difference_table(with_psnr(*values), "standard").rows
    return row[2]


def two(metric, *values, **more):
    """Two entries whose values of one metric in the one bucket "10-20%" are given."""
    entries = [
        entry(name, 1, prediction=False, completion={"10-20%": {metric: np.array(one, np.float32)}}, **more)
        for name, one in zip(("first", "second"), values)
    ]
    return results(entries=tuple(entries), metrics={metric: METRICS[metric]})


def with_psnr(first, second):
    return two("standard/psnr", first, second)


def test_a_table_without_conditions_cannot_be_made():
    with pytest.raises(TypeError):
        TextTable("title", ("a",), (("1",),))
    with pytest.raises(TypeError, match="needs the conditions"):
        TextTable("title", ("a",), (("1",),), None)
    with pytest.raises(ValueError, match="2 cells are needed"):
        TextTable("title", ("a", "b"), (("1",),), conditions())


def test_every_table_ends_with_the_protocol_line_in_every_form():
    for table in make_tables(results(), full):
        assert table.note.endswith(LINE)
        assert LINE in " ".join(text_table.screen(table).split("\n"))
        assert text_table.markdown(table).endswith(text_table.escape_markdown(LINE) + "\n")
        assert text_table.escape_latex(LINE) + "}\n\\par" in text_table.latex(table)


def test_a_cell_has_mean_deviation_and_interval():
    found = results()
    table, summary = standard(found), summarize(found.entries[0].completion["10-20%"]["standard/psnr"])
    expected = f"{summary.mean:.2f} ± {summary.deviation:.1f} [{summary.low:.2f}, {summary.high:.2f}]"
    raw = found.entries[0].prediction["10-20%"]["standard/psnr"].astype(float).mean()
    assert table.header == ("hole", "filled by", "PSNR dB", "raw PSNR dB", "MAE %", "raw MAE %", "n")
    assert table.rows[0][:4] == ("10-20%", "faces_64 & 100%", expected, f"{raw:.2f}")
    assert table.rows[1][:2] == ("", "Navier-Stokes") and table.rows[1][3] == "not measured"
    assert [row[0] for row in table.rows] == ["10-20%", "", "20-30%", ""] and {row[-1] for row in table.rows} == {"6"}
    assert standard(found, brief).rows[0][2] == f"{summary.mean:.2f}"


def test_there_is_one_table_for_each_group_no_raw_column_without_predictions_and_an_n_for_sets():
    found = results(entries=(entry("telea", 1, prediction=False, kind="baseline"),))
    tables = make_tables(found, full)
    assert [table.title for table in tables] == [
        "Filled by",
        *(f"{group}: scores" for group in ("standard", "edge_connect", "checks", "inception")),
    ]
    assert "raw" not in "".join("".join(table.header) + table.note for table in tables)
    table = score_table(results(), "inception", full)
    assert table.header == ("hole", "filled by", "FID (n=6)", "n")
    assert [row[2] for row in table.rows] == ["11.00", "not measured"] * 2


def test_infinite_values_are_counted_apart_and_empty_buckets_and_single_photographs_told():
    rows = standard(with_psnr([20.0, 30.0, np.inf], [np.inf] * 3)).rows
    assert re.fullmatch(r"25\.00 ± 7\.1 \[2\d\.00, \d\d\.00\], 1 identical", rows[0][2])
    assert rows[1][2] == "inf (3 identical)"
    assert standard(with_psnr([20.0, 30.0, np.inf], []), brief).rows[0][2] == "25.00, 1 identical"
    finite, infinite = standard(with_psnr([20.0], [21.0])), standard(with_psnr([20.0], [np.inf]))
    assert "in no mean" in infinite.note and "in no mean" not in finite.note
    cell = standard_difference([20.0, np.inf, np.inf], [18.0, np.inf, 5.0])
    assert cell.endswith(", 1 +inf") and cell.startswith("+1.00 [")
    empty = standard(with_psnr([], []))
    assert [row[2:] for row in empty.rows] == [("empty", "0")] * 2 and not empty.best
    assert [row[2] for row in standard(with_psnr([20.0], [21.5])).rows] == ["20.00", "21.50"]  # no spread


def test_infinite_differences_keep_their_sign(tmp_path):
    identical = with_psnr([20.0, 21.0, 22.0, 23.0], [np.inf] * 4)
    assert "-inf (4)" in screen_text(identical) and "$-$inf (4)" in written(tmp_path, identical, "results.tex")
    found = json.loads(written(tmp_path, identical))["differences"][0]["buckets"]["10-20%"]["standard/psnr"]
    assert (found["mean"], found["n"], found["infinite"], found["minus_infinite"]) == ("-inf", 0, 4, 4)
    assert float(found["mean"]) == -np.inf
    (line,) = (line for line in csv_lines(tmp_path, identical) if line["minus"])
    assert (line["mean"], line["infinite"], line["minus_infinite"]) == ("-inf", "4", "4")
    for first, second, expected in (
        ([20.0, 21.0, 22.0, 23.0], [np.inf] * 4, "-inf (4)"),
        ([20.0, 30.0, np.inf, 25.0], [np.inf, np.inf, 5.0, 24.0], "+1.00, 1 +inf, 2 -inf"),
        ([20.0, np.inf], [np.inf, 5.0], "1 +inf, 1 -inf"),
        ([20.0, 20.0], [20.001, 20.001], "+0.00 [+0.00, +0.00]"),  # no number is minus zero
        ([], [], "empty"),
    ):
        assert standard_difference(first, second) == expected


def test_magnitudes_are_subtracted_where_zero_is_best(tmp_path):
    found = two("checks/colour_shift", [-2.0, 0.5], [1.0, 0.25], sets={})  # further from 0, though below
    table = difference_table(found, "checks")
    assert table.header == ("hole", "first", "|colour shift|") and table.rows[0][2].startswith("+0.625 [")
    assert "magnitudes are subtracted and below 0 is better" in table.note
    assert "magnitudes" not in difference_table(with_psnr([1.0], [2.0]), "standard").note
    assert "|colour shift|" in screen_text(found)
    assert r"\|colour shift\|" in written(tmp_path, found, "results.md")
    assert r"\textbar{}colour shift\textbar{}" in written(tmp_path, found, "results.tex")
    (stored,) = json.loads(written(tmp_path, found))["differences"][0]["buckets"]["10-20%"].values()
    assert (stored["subtracted"], stored["mean"]) == ("magnitudes", 0.625)
    (line,) = (line for line in csv_lines(tmp_path, found) if line["minus"])
    assert (line["metric"], float(line["mean"])) == ("paired difference of |checks/colour_shift|", 0.625)


def test_what_is_pooled_is_a_column_of_sets_and_infinite_is_the_best(tmp_path):
    pooled = PooledMetric("standard/psnr", max, "Pooled PSNR", "higher", "dB", 2, "of the mean error")
    metrics = {"standard/psnr": METRICS["standard/psnr"], "standard/psnr_pooled": pooled}
    values = {"first": 24.125, "second": np.inf, "third": 30.0}
    entries = [entry(name, 1, sets={"10-20%": {"standard/psnr_pooled": value}}) for name, value in values.items()]
    found = results(metrics=metrics, entries=tuple(entries))
    table = standard(found)
    assert table.header == ("hole", "filled by", "PSNR dB", "raw PSNR dB", "Pooled PSNR dB (n=6)", "n")
    assert [row[4] for row in table.rows] == ["24.12", "inf", "30.00", *["not measured"] * 3]
    assert [place for place in table.best if place[1] == 4] == [(1, 4)] and "of the mean error" in table.note
    stored = json.loads(written(tmp_path, found))
    assert stored["metrics"]["standard/psnr_pooled"]["of"] == "set"
    assert [one["sets"]["10-20%"]["standard/psnr_pooled"] for one in stored["entries"]] == [24.125, "inf", 30.0]
    lines = [line for line in csv_lines(tmp_path, found) if line["metric"] == "standard/psnr_pooled"]
    assert [(line["mean"], line["n"]) for line in lines] == [("24.125", "6"), ("inf", "6"), ("30.0", "6")]


def test_the_best_of_a_bucket_follows_the_metrics_direction():
    found = results()
    for group, sign in (("standard", {2: -1, 4: 1}), ("checks", {2: 0})):
        table, names = score_table(found, group, full), list(found.groups[group])
        for row, column in table.best:
            if column in sign:
                bucket, name = found.buckets[row // 2], names[(column - 2) // 2]
                means = [one.completion[bucket][name].astype(float).mean() for one in found.entries]
                ranked = [abs(mean) if sign[column] == 0 else sign[column] * mean for mean in means]
                assert int(np.argmin(ranked)) == row % 2
        assert {(row // 2, column) for row, column in table.best} == {(i, j) for i in (0, 1) for j in sign}
    assert standard(with_psnr([20.0, 20.0], [20.0, 20.0])).best == {(0, 2), (1, 2)}  # equals
    assert standard(with_psnr([30.0], [np.inf])).best == {(1, 2)}  # identical beats all


def test_differences_are_paired():
    found = results()
    table = difference_table(found, "standard")
    ours, theirs = (one.completion["20-30%"]["standard/mae"] for one in found.entries)
    summary = difference(ours, theirs, "lower")
    assert table.title == "standard: faces_64 & 100% minus others"
    assert table.rows[1][:2] == ("20-30%", "minus Navier-Stokes")
    assert table.rows[1][3] == f"{summary.mean:+.2f} [{summary.low:+.2f}, {summary.high:+.2f}]"
    assert difference_table(results(entries=found.entries[:1]), "standard") is None
    assert difference_table(found, "inception") is None


def test_who_filled_the_holes_and_how_fast():
    assert entries_table(results()).rows == (
        ("faces_64 & 100%", "run", "folder runs/faces_64 & 100%, step 4900", "12.3"),
        ("Navier-Stokes", "baseline", "", "not known"),
    )


def test_the_screen_lines_up():
    shown = text_table.screen(standard(results())).splitlines()
    assert shown[0] == "standard: scores" and set(shown[1]) == {"-"} and shown[1] == shown[3] == shown[8]
    assert len({len(line) for line in (shown[2], *shown[4:8])}) == 1
    assert all(len(line) <= 120 for line in shown[9:])
    assert screen_text(results()).count("Protocol faces64") == 8  # entries, four groups, three differences


def test_markdown_has_as_many_cells_in_every_row_and_marks_the_best(tmp_path):
    text = written(tmp_path, results(), "results.md")
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in lines}) <= 1
    assert "a_b \\| c" in text and "faces_64 & 100%" in text
    table = TextTable("t", ("a", "b"), (("x", "1*"), ("y", "2")), conditions(), best=frozenset({(0, 1)}))
    assert "| x | **1\\*** |" in text_table.markdown(table) and "| --- | ---: |" in text_table.markdown(table)


def test_latex_is_balanced_and_escaped(tmp_path):
    text = written(tmp_path, results(), "results.tex")
    for environment in ("table", "tabular"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") == 8
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    plain = re.sub(r"\\[\\%&$#_{}]", "", body)
    assert plain.count("{") == plain.count("}")
    assert not re.search(r"[%#_~^<>|±]", plain)
    for table in re.findall(r"\\begin\{tabular\}\{(.*?)\}\n(.*?)\\end\{tabular\}", plain, re.DOTALL):
        columns = len(re.sub(r"p\{6cm", "p", table[0]))
        rows = [line for line in table[1].splitlines() if " & " in line]
        assert rows and {line.count("&") + 1 for line in rows} == {columns}
    assert r"faces\_64 \& 100\%" in text and r"\#1" in text and r"\textbf{" in text
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 8


def test_latex_escapes_what_it_reads_otherwise():
    for text, expected in (
        ("a_b & 5% #1 {x} $2", r"a\_b \& 5\% \#1 \{x\} \$2"),
        ("\\ ~ ^ [25*", r"\textbackslash{} \textasciitilde{} \textasciicircum{} {[}25{*}"),
        ("10-20% -0.5 [-1, +2]", r"10-20\% $-$0.5 {[}$-$1, +2]"),
        ("1 ± 2 < 3", r"1 $\pm$ 2 \textless{} 3"),
    ):
        assert text_table.escape_latex(text) == expected


@pytest.mark.slow
@pytest.mark.skipif(not LATEX, reason="needs LaTeX: apt-get install texlive-latex-recommended")
def test_latex_compiles(tmp_path):
    write_tables(tmp_path, results())
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}"
    (tmp_path / "paper.tex").write_text(head + r"\begin{document}\input{results.tex}\end{document}")
    flags = ["-interaction=nonstopmode", "-halt-on-error"] if LATEX.endswith("pdflatex") else []
    done = subprocess.run([LATEX, *flags, "paper.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_csv_reads_back_and_has_paired_differences(tmp_path):
    found = results()
    lines = csv_lines(tmp_path, found)
    assert all(None not in line and None not in line.values() for line in lines)
    for line in lines:
        assert (line["protocol"], line["size"]) == ("faces64 (the run's own)", "64")
        assert (line["photographs_digest"], line["holes_digest"]) == ("a1" * 32, "b2" * 32)
    # 2 buckets x 4 metrics x (2 completions + 1 prediction + 1 difference), one FID a bucket, one speed
    assert len(lines) == 2 * 4 * 4 + 2 + 1
    wanted = {"entry": "Navier-Stokes", "bucket": "20-30%", "metric": "edge_connect/psnr", "image": "completion"}
    (line,) = (line for line in lines if wanted.items() <= line.items())
    summary = summarize(found.entries[1].completion["20-30%"]["edge_connect/psnr"])
    for key, value in dataclasses.asdict(summary).items():
        assert float(line[key]) == value
    (fid,) = (line for line in lines if line["metric"] == "inception/fid" and line["bucket"] == "10-20%")
    assert (fid["mean"], fid["n"], fid["deviation"], fid["low"]) == ("11.0", "6", "", "")
    (speed,) = (line for line in lines if line["metric"] == "images_per_second")
    assert (speed["entry"], speed["mean"], speed["bucket"]) == ("faces_64 & 100%", "12.345", "")
    differences = [line for line in lines if line["metric"].startswith("paired difference of ")]
    assert [line for line in lines if line["minus"]] == differences and len(differences) == 2 * 4
    who = {(line["entry"], line["minus"], line["image"]) for line in differences}
    assert who == {("faces_64 & 100%", "Navier-Stokes", "completion")}
    wanted = {"bucket": "20-30%", "metric": "paired difference of standard/mae"}
    (line,) = (line for line in differences if wanted.items() <= line.items())
    ours, theirs = (one.completion["20-30%"]["standard/mae"].astype(float) for one in found.entries)
    assert float(line["mean"]) == pytest.approx((ours - theirs).mean())
    assert float(line["low"]) < float(line["mean"]) < float(line["high"]) and line["n"] == "6"


def test_json_has_everything_and_no_infinity(tmp_path):
    found = with_psnr([20.1, np.inf, 30.0], [18.0, np.inf, 31.0])

    def refuse(constant):
        raise AssertionError(constant)

    read = json.loads(written(tmp_path, found), parse_constant=refuse)
    assert read["conditions"] == dataclasses.asdict(conditions()) and read["protocol_line"] == LINE
    assert read["metrics"]["standard/psnr"]["definition"] == "over RGB, range 255"
    first = read["entries"][0]
    cell = first["completion"]["10-20%"]["standard/psnr"]
    per_image = np.array([float(value) for value in cell["per_image"]], np.float32)
    np.testing.assert_array_equal(per_image, [np.float32(20.1), np.inf, 30])
    assert cell["per_image"][:2] == [20.1, "inf"]
    assert (cell["n"], cell["infinite"]) == (2, 1) and cell["mean"] == pytest.approx(25.05)
    assert first["details"] == {"folder": "runs/first", "step": "4900"} and first["kind"] == "run"
    (against,) = read["differences"]
    assert (against["of"], against["minus"]) == ("first", "second")
    assert against["buckets"]["10-20%"]["standard/psnr"]["mean"] == pytest.approx((2.1 + 0 - 1) / 3, rel=1e-5)
    of_one = json.loads(written(tmp_path, with_psnr([20.0], [np.inf])), parse_constant=refuse)["entries"]
    one, infinite = (each["completion"]["10-20%"]["standard/psnr"] for each in of_one)
    assert one["deviation"] is None and infinite["mean"] == "inf" and infinite["per_image"] == ["inf"]
    first, second = json.loads(written(tmp_path, results()))["entries"]
    assert first["sets"] == {"10-20%": {"inception/fid": 11.0}, "20-30%": {"inception/fid": 11.0}}
    assert first["images_per_second"] == 12.345 and second["images_per_second"] is None
    assert first["config"] == {"method": {"name": "scan"}} and first["prediction"] and second["prediction"] == {}


def test_files_are_the_same_on_every_call_and_hold_a_papers_tables(tmp_path):
    own = TextTable("A paper's", ("method", "PSNR"), (("Ours", "28.54"),), conditions())
    paths = write_tables(tmp_path / "new" / "folder", results(), [own])
    assert [path.name for path in paths] == ["results.csv", "results.json", "results.md", "results.tex"]
    again = write_tables(tmp_path / "other", results(), [own])
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    assert "A paper's" in paths[2].read_text() and "28.54" in paths[3].read_text()
    assert "A paper's" in screen_text(results(), [own])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_tables(tmp_path / "file", results())
