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

from scan_jax.errors import UserError
from scan_jax.evaluation.comparison import difference
from scan_jax.evaluation.statistics import summarize
from scan_jax.evaluation.tables import cells, latex, make_tables, markdown, screen, screen_text, write_tables
from scan_jax.evaluation.tables.by_bucket import difference_table, score_table
from scan_jax.evaluation.tables.filled_by import entries_table
from scan_jax.evaluation.tables.summaries import Summaries
from scan_jax.evaluation.tables.text_table import TextTable

PSNR, SHIFT = METRICS["standard/psnr"], METRICS["checks/colour_shift"]
LINE = conditions().line()


def written(folder, found, name):
    write_tables(folder, found)
    return (folder / name).read_text()


def standard(found, show=cells.full):
    return score_table(Summaries(found), "standard", show)


def with_psnr(first, second):
    """Two entries whose standard/psnr in the one bucket "10-20%" is given."""
    entries = [
        entry(name, 1, prediction=False, completion={"10-20%": {"standard/psnr": np.array(values, np.float32)}})
        for name, values in (("first", first), ("second", second))
    ]
    return results(entries=tuple(entries), metrics={"standard/psnr": PSNR})


def test_a_table_without_conditions_cannot_be_made():
    with pytest.raises(TypeError):
        TextTable("title", ("a",), (("1",),))
    with pytest.raises(TypeError, match="needs the conditions"):
        TextTable("title", ("a",), (("1",),), None)
    with pytest.raises(ValueError, match="2 cells are needed"):
        TextTable("title", ("a", "b"), (("1",),), conditions())


def test_every_table_ends_with_the_protocol_line_in_every_form():
    for table in make_tables(Summaries(results()), cells.full):
        assert table.note.endswith(LINE)
        assert LINE in " ".join(screen.render(table).split("\n"))
        assert markdown.render(table).endswith(markdown.escape(LINE) + "\n")
        assert latex.escape(LINE) + "}\n\\par" in latex.render(table)


def test_a_cell_has_mean_deviation_and_interval():
    found = results()
    table, summary = standard(found), summarize(found.entries[0].completion["10-20%"]["standard/psnr"])
    expected = f"{summary.mean:.2f} ± {summary.deviation:.1f} [{summary.low:.2f}, {summary.high:.2f}]"
    raw = found.entries[0].prediction["10-20%"]["standard/psnr"].astype(float).mean()
    assert table.header == ("hole", "filled by", "PSNR dB", "raw PSNR dB", "MAE %", "raw MAE %", "n")
    assert table.rows[0][:4] == ("10-20%", "faces_64 & 100%", expected, f"{raw:.2f}")
    assert table.rows[1][:2] == ("", "Navier-Stokes") and table.rows[1][3] == "not measured"
    assert [row[0] for row in table.rows] == ["10-20%", "", "20-30%", ""] and {row[-1] for row in table.rows} == {"6"}
    assert standard(found, cells.brief).rows[0][2] == f"{summary.mean:.2f}"


def test_there_is_one_table_for_each_group_and_no_raw_column_without_predictions():
    found = results(entries=(entry("telea", 1, prediction=False, kind="baseline"),))
    tables = make_tables(Summaries(found), cells.full)
    assert [table.title for table in tables] == [
        "Filled by",
        *(f"{group}: scores" for group in ("standard", "edge_connect", "checks", "inception")),
    ]
    assert "raw" not in "".join("".join(table.header) + table.note for table in tables)


def test_metrics_of_sets_name_their_n():
    table = score_table(Summaries(results()), "inception", cells.full)
    assert table.header == ("hole", "filled by", "FID (n=6)", "n")
    assert [row[2] for row in table.rows] == ["11.00", "not measured"] * 2


def test_infinite_values_are_counted_apart():
    rows = standard(with_psnr([20.0, 30.0, np.inf], [np.inf] * 3)).rows
    assert re.fullmatch(r"25\.00 ± 7\.1 \[2\d\.00, \d\d\.00\], 1 identical", rows[0][2])
    assert rows[1][2] == "inf (3 identical)"
    table = difference_table(Summaries(with_psnr([20.0, np.inf, np.inf], [18.0, np.inf, 5.0])), "standard")
    assert table.rows[0][2].endswith(", 1 +inf") and table.rows[0][2].startswith("+1.00 [")
    finite, infinite = standard(with_psnr([20.0], [21.0])), standard(with_psnr([20.0], [np.inf]))
    assert "in no mean" in infinite.note and "in no mean" not in finite.note


def test_infinite_differences_keep_their_sign(tmp_path):
    against_identical = with_psnr([20.0, 21.0, 22.0, 23.0], [np.inf] * 4)
    assert difference_table(Summaries(against_identical), "standard").rows[0][2] == "-inf (4)"
    assert "-inf (4)" in screen_text(against_identical) and "$-$inf (4)" in written(
        tmp_path, against_identical, "results.tex"
    )
    found = json.loads((tmp_path / "results.json").read_text())["differences"][0]["buckets"]["10-20%"]["standard/psnr"]
    assert (found["mean"], found["n"], found["infinite"], found["minus_infinite"]) == ("-inf", 0, 4, 4)
    assert float(found["mean"]) == -np.inf
    mixed = with_psnr([20.0, 30.0, np.inf, 25.0], [np.inf, np.inf, 5.0, 24.0])
    assert difference_table(Summaries(mixed), "standard").rows[0][2] == "+1.00, 1 +inf, 2 -inf"
    both = with_psnr([20.0, np.inf], [np.inf, 5.0])
    assert difference_table(Summaries(both), "standard").rows[0][2] == "1 +inf, 1 -inf"


def with_shift(first, second):
    """Two entries whose checks/colour_shift, of which 0 is best, is given."""
    entries = [
        entry(name, 1, prediction=False, sets={}, completion={"10-20%": {"checks/colour_shift": np.array(values)}})
        for name, values in (("first", first), ("second", second))
    ]
    return results(entries=tuple(entries), metrics={"checks/colour_shift": SHIFT})


def test_magnitudes_are_subtracted_where_zero_is_best(tmp_path):
    found = with_shift([-2.0, 0.5], [1.0, 0.25])  # further from 0, though below
    table = difference_table(Summaries(found), "checks")
    assert table.header == ("hole", "first", "|colour shift|") and table.rows[0][2].startswith("+0.625 [")
    assert "magnitudes are subtracted and below 0 is better" in table.note
    assert "magnitudes" not in difference_table(Summaries(with_psnr([1.0], [2.0])), "standard").note
    assert "|colour shift|" in screen_text(found)
    assert r"\|colour shift\|" in written(tmp_path, found, "results.md")
    assert r"\textbar{}colour shift\textbar{}" in (tmp_path / "results.tex").read_text()
    buckets = json.loads((tmp_path / "results.json").read_text())["differences"][0]["buckets"]
    assert buckets["10-20%"]["checks/colour_shift"]["subtracted"] == "magnitudes"
    assert buckets["10-20%"]["checks/colour_shift"]["mean"] == 0.625
    lines = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    (line,) = (line for line in lines if line["minus"])
    assert (line["metric"], float(line["mean"])) == ("paired difference of |checks/colour_shift|", 0.625)


def test_the_csv_has_paired_differences(tmp_path):
    found = results()
    lines = list(csv.DictReader(io.StringIO(written(tmp_path, found, "results.csv"))))
    differences = [line for line in lines if line["metric"].startswith("paired difference of ")]
    assert [line for line in lines if line["minus"]] == differences and len(differences) == 2 * 4
    assert {(line["entry"], line["minus"], line["image"]) for line in differences} == {
        ("faces_64 & 100%", "Navier-Stokes", "completion")
    }
    wanted = {"bucket": "20-30%", "metric": "paired difference of standard/mae"}
    (line,) = (line for line in differences if wanted.items() <= line.items())
    ours, theirs = (one.completion["20-30%"]["standard/mae"].astype(float) for one in found.entries)
    assert float(line["mean"]) == pytest.approx((ours - theirs).mean())
    assert float(line["low"]) < float(line["mean"]) < float(line["high"]) and line["n"] == "6"
    against_identical = with_psnr([20.0, 21.0], [np.inf, np.inf])
    (line,) = (
        one for one in csv.DictReader(io.StringIO(written(tmp_path, against_identical, "results.csv"))) if one["minus"]
    )
    assert (line["mean"], line["infinite"], line["minus_infinite"]) == ("-inf", "2", "2")


def test_an_empty_bucket_is_shown_as_empty():
    assert [row[2:] for row in standard(with_psnr([], [])).rows] == [("empty", "0")] * 2
    table = difference_table(Summaries(with_psnr([], [])), "standard")
    assert table.rows[0][2] == "empty"
    assert not standard(with_psnr([], [])).best


def test_one_photograph_has_no_spread():
    assert [row[2] for row in standard(with_psnr([20.0], [21.5])).rows] == ["20.00", "21.50"]


def test_no_number_is_minus_zero():
    table = difference_table(Summaries(with_psnr([20.0, 20.0], [20.001, 20.001])), "standard")
    assert table.rows[0][2] == "+0.00 [+0.00, +0.00]"


def test_the_best_of_a_bucket_follows_the_metrics_direction():
    found = results()
    summaries = Summaries(found)
    for group, sign in (("standard", {2: -1, 4: 1}), ("checks", {2: 0})):
        table, names = score_table(summaries, group, cells.full), list(summaries.metrics_of(group))
        for row, column in table.best:
            if column in sign:
                bucket, name = found.buckets[row // 2], names[(column - 2) // 2]
                means = [one.completion[bucket][name].astype(float).mean() for one in found.entries]
                ranked = [abs(mean) if sign[column] == 0 else sign[column] * mean for mean in means]
                assert int(np.argmin(ranked)) == row % 2
        assert {(row // 2, column) for row, column in table.best} == {(i, j) for i in (0, 1) for j in sign}
    assert standard(with_psnr([20.0, 20.0], [20.0, 20.0])).best == {(0, 2), (1, 2)}  # equals
    assert standard(with_psnr([30.0], [np.inf])).best == {(1, 2)}  # identical beats all
    assert SHIFT.better == "zero"


def test_differences_are_paired():
    found = results()
    table = difference_table(Summaries(found), "standard")
    ours, theirs = (one.completion["20-30%"]["standard/mae"] for one in found.entries)
    summary = difference(ours, theirs, "lower")
    assert table.title == "standard: faces_64 & 100% minus others"
    assert table.rows[1] == (
        "20-30%",
        "minus Navier-Stokes",
        table.rows[1][2],
        f"{summary.mean:+.2f} [{summary.low:+.2f}, {summary.high:+.2f}]",
    )
    assert difference_table(Summaries(results(entries=found.entries[:1])), "standard") is None
    assert difference_table(Summaries(found), "inception") is None


def test_who_filled_the_holes_and_how_fast():
    assert entries_table(results()).rows == (
        ("faces_64 & 100%", "run", "folder runs/faces_64 & 100%, step 4900", "12.3"),
        ("Navier-Stokes", "baseline", "", "not known"),
    )


def test_the_screen_lines_up():
    shown = screen.render(standard(results())).splitlines()
    assert shown[0] == "standard: scores" and set(shown[1]) == {"-"} and shown[1] == shown[3] == shown[8]
    assert len({len(line) for line in (shown[2], *shown[4:8])}) == 1
    assert all(len(line) <= 120 for line in shown[9:])
    assert screen_text(results()).count("Protocol faces64") == 8  # entries, four groups, three differences


def test_markdown_has_as_many_cells_in_every_row(tmp_path):
    text = written(tmp_path, results(), "results.md")
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in lines}) <= 1
    assert "a_b \\| c" in text and "faces_64 & 100%" in text


def test_markdown_marks_the_best():
    table = TextTable("t", ("a", "b"), (("x", "1*"), ("y", "2")), conditions(), best=frozenset({(0, 1)}))
    assert "| x | **1\\*** |" in markdown.render(table) and "| --- | ---: |" in markdown.render(table)


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
    assert latex.escape("a_b & 5% #1 {x} $2 \\ ~ ^ [25*") == (
        r"a\_b \& 5\% \#1 \{x\} \$2 \textbackslash{} \textasciitilde{} \textasciicircum{} {[}25{*}"
    )
    assert latex.escape("10-20% -0.5 [-1, +2]") == r"10-20\% $-$0.5 {[}$-$1, +2]"
    assert latex.escape("1 ± 2 < 3") == r"1 $\pm$ 2 \textless{} 3"


def test_latex_compiles(tmp_path):
    compiler = shutil.which("pdflatex") or shutil.which("tectonic")
    if not compiler:
        pytest.skip("no LaTeX here")
    write_tables(tmp_path, results())
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}"
    (tmp_path / "paper.tex").write_text(head + r"\begin{document}\input{results.tex}\end{document}")
    flags = ["-interaction=nonstopmode", "-halt-on-error"] if compiler.endswith("pdflatex") else []
    done = subprocess.run([compiler, *flags, "paper.tex"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_csv_reads_back(tmp_path):
    found = results()
    lines = list(csv.DictReader(io.StringIO(written(tmp_path, found, "results.csv"))))
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


def test_json_has_everything_and_no_infinity(tmp_path):
    found = with_psnr([20.1, np.inf, 30.0], [18.0, np.inf, 31.0])

    def refuse(constant):
        raise AssertionError(constant)

    read = json.loads(written(tmp_path, found, "results.json"), parse_constant=refuse)
    assert read["conditions"] == dataclasses.asdict(conditions()) and read["protocol_line"] == LINE
    assert read["metrics"]["standard/psnr"]["definition"] == "over RGB, range 255"
    first = read["entries"][0]
    cell = first["completion"]["10-20%"]["standard/psnr"]
    assert np.array_equal(
        np.array([float(value) for value in cell["per_image"]], np.float32), [np.float32(20.1), np.inf, 30]
    )
    assert cell["per_image"][:2] == [20.1, "inf"]
    assert (cell["n"], cell["infinite"]) == (2, 1) and cell["mean"] == pytest.approx(25.05)
    assert first["details"] == {"folder": "runs/first", "step": "4900"} and first["kind"] == "run"
    (against,) = read["differences"]
    assert (against["of"], against["minus"]) == ("first", "second")
    assert against["buckets"]["10-20%"]["standard/psnr"]["mean"] == pytest.approx((2.1 + 0 - 1) / 3, rel=1e-5)


def test_json_of_one_value_has_null_for_its_deviation(tmp_path):
    read = json.loads(written(tmp_path, with_psnr([20.0], [np.inf]), "results.json"))
    of = [one["completion"]["10-20%"]["standard/psnr"] for one in read["entries"]]
    assert of[0]["deviation"] is None and of[1]["mean"] == "inf" and of[1]["per_image"] == ["inf"]


def test_sets_speed_and_config_are_in_the_json(tmp_path):
    first, second = json.loads(written(tmp_path, results(), "results.json"))["entries"]
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


def test_a_folder_that_cannot_be_written_to_is_a_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_tables(tmp_path / "file", results())
