"""The page holds every number and picture of an evaluation, and asks nobody for anything."""

import base64
import dataclasses
import io
import itertools
import re
import shutil
import subprocess
import types

import numpy as np
import pytest
from made_up_pages import BUCKETS, CONDITIONS, METRICS, N, case, entry, row_of, run_folder, scores, write
from PIL import Image

from scan_jax.core.config import flatten
from scan_jax.core.errors import UserError
from scan_jax.evaluation.report import scores as report_scores
from scan_jax.evaluation.report.charts import POINTS, thin
from scan_jax.evaluation.report.gallery import amplified_error, data_uri
from scan_jax.evaluation.report.page import write_report
from scan_jax.evaluation.results import Results
from scan_jax.evaluation.statistics import best_of_images, printed
from scan_jax.evaluation.tables.by_bucket import difference_table, full, score_table
from scan_jax.images.contact_sheet import TINT

PSNR_ALONE = {"standard/psnr": METRICS["standard/psnr"]}


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """Two runs, with everything that a page can show."""
    folders = [run_folder(tmp_path_factory.mktemp(name), steps) for name, steps in (("a", 2000), ("b", 40))]
    runs = []
    for name, seed, width, folder in zip(("ours", "theirs"), (3, 1), (8, 16), folders):
        config, raw = {"seed": 0, "method": {"name": "scan", "width": width}}, scores(seed + 30, *list(METRICS)[:3])
        runs.append(entry(name, seed, kind="run", config=config, folder=folder, prediction=raw))
    rows = [["GC [12]", "27.11"], ["ours", "not run"]]
    table = types.SimpleNamespace(title="A paper, Table 9", header=["method", "PSNR"], rows=rows, note="Unclear.")
    cases = (case("ours", "theirs", rank="worst", index=5), case("ours", "theirs"))
    html, page = write(tmp_path_factory.mktemp("page"), *runs, tables=[table], cases=cases)
    return html, page, runs, cases


@pytest.fixture(scope="module")
def page(comparison):
    return comparison[1]


def test_the_page_stands_alone_and_every_link_has_its_target(comparison, page):
    html = comparison[0]
    assert "http" not in re.sub(r"base64,[^\"]*", "", html) and "@import" not in html
    assert not page.all_of("script") and not page.all_of("link") and not page.all_of("iframe")
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert sum(identity.startswith("picture-") for identity in ids) == 12
    targets = re.findall(r"url\((.*?)\)", html)
    for tag, attrs in page.elements:
        assert attrs.get("src", "data:image/").startswith("data:image/"), tag
        assert not {"srcset", "onclick", "onload", "poster", "action"} & set(attrs)
        targets += [attrs[name] for name in ("href", "xlink:href") if name in attrs]
    assert all(attrs["href"] for attrs in page.all_of("a"))
    assert {target[0] for target in targets} == {"#"} and {target[1:] for target in targets} <= set(ids)


def test_pictures_tables_and_charts_can_be_read_aloud_and_each_table_says_its_protocol(page):
    assert all(attrs["alt"] for attrs in page.all_of("img"))
    assert all("scope" in attrs for attrs in page.all_of("th"))
    charts = page.all_of("svg")
    assert len(charts) == 2 + 2 + 3 and all(attrs["role"] == "img" for attrs in charts)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.all_of("html")[0]["lang"] == "en"
    sections = ("top", "scores", "differences", "published", "definitions", "conditions")
    assert all(CONDITIONS.line() in page.text[section] for section in sections)
    assert CONDITIONS.photographs_digest in page.text["conditions"]
    assert CONDITIONS.holes_digest in page.text["conditions"]


def test_scores_are_those_of_numpy(comparison, page):
    runs = comparison[2]
    values = runs[0].completion["20-30%"]["standard/psnr"].astype(np.float64)
    _, psnr, mae, n = row_of(page, ("scores", "Completed images"), "20-30%", "ours")
    assert psnr.startswith(f"{values.mean():.2f} ± {values.std(ddof=1):.2f} [") and n == str(N)
    low, high = map(float, re.search(r"\[(.*), (.*)\]", psnr).groups())
    half = pytest.approx(1.96 * values.std(ddof=0) / np.sqrt(N), rel=0.25)
    assert values.mean() - low == half and high - values.mean() == half
    assert mae.startswith(f"{runs[0].completion['20-30%']['standard/mae'].mean():.3f} ")
    raw = runs[1].prediction["10-20%"]["standard/psnr"].astype(np.float64).mean()
    assert row_of(page, ("scores", "Raw predictions"), "10-20%", "theirs")[1].startswith(f"{raw:.2f} ")


def test_differences_are_paired_and_judged(comparison, page):
    runs = comparison[2]
    values = [run.completion["10-20%"]["standard/mae"].astype(np.float64) for run in runs]
    difference = (values[0] - values[1]).mean()
    cell = row_of(page, ("differences", "ours minus each other entry"), "10-20%", "theirs")[2]
    assert cell.startswith(f"{difference:+.3f} ")
    low, high = map(float, re.search(r"\[(.*), (.*)\]", cell).groups())
    word = "undecided" if low <= 0 <= high else "worse" if difference > 0 else "better"  # of an error
    assert cell.split()[1] == word
    means = [(runs[0].completion[b]["standard/psnr"] - runs[1].completion[b]["standard/psnr"]).mean() for b in BUCKETS]
    assert f"Against theirs: PSNR {min(means):+.2f} to {max(means):+.2f} dB" in page.text["top"]


def test_the_best_of_each_bucket_is_marked(tmp_path):
    entries = []
    for name, value in {"high": 3.0, "low": -1.0, "middle": 2.0}.items():
        flat = {key: np.full(N, value, np.float32) for key in METRICS if key != "inception/fid"}
        entries.append(entry(name, 0, completion=dict.fromkeys(BUCKETS, flat), sets={}))
    html, page = write(tmp_path, *entries)
    best = re.findall(r'<strong class="best">(.*?)</strong>', html)
    assert sorted(best) == sorted(["3.00", "-1.000", "-1.0000", "-1.00"] * len(BUCKETS))
    assert row_of(page, ("definitions", "Sets of completed images"), "10-20%", "low")[1] == "absent"


def test_published_tables_and_other_definitions_are_printed_and_only_keys_that_differ_compared(page):
    printed = [["method", "PSNR"], ["GC [12]", "27.11"], ["ours", "not run"]]
    assert page.tables["published", "A paper, Table 9"] == printed and "Unclear." in page.text["published"]
    assert page.tables["config", "Keys that differ"] == [["key", "ours", "theirs"], ["method.width", "8", "16"]]
    assert page.text["config"].count('"name": "scan"') == 2
    assert flatten({"a": {"b": 1, "c": {}}, "d": [2]}, with_empty=True) == {"a.b": 1, "a.c": {}, "d": [2]}
    text = page.text["definitions"]
    for clause in ("relative to the sum of both", "of 2048 features", "mean over the hole"):
        assert clause in text
    assert row_of(page, ("definitions", "Sets of completed images"), "10-20%", "ours")[1:] == ["15.3", str(N)]
    assert "12.3 " not in text and "31.2" in page.text["top"]


def test_cases_show_their_pixels_and_scores(comparison):
    _, page, runs, cases = comparison
    first = cases[1]  # the best comes first
    shown = [decode(attrs["src"]) for attrs in page.all_of("img")][:6]
    tinted = np.where(first.known > 0.5, first.truth, np.round(255 * np.array(TINT)))
    error = 4 * np.abs(first.completions["ours"].astype(int) - first.truth)
    expected = [tinted, first.completions["ours"], first.completions["theirs"], first.truth, np.minimum(error, 255)]
    for picture, pixels in zip(shown, [*expected, first.looks["attention 1"]]):
        np.testing.assert_array_equal(picture, pixels)
    for run in runs:
        assert f"{run.completion['20-30%']['standard/psnr'][first.index]:.2f} dB" in page.text["cases"]
    assert page.text["cases"].index("Best: photograph 2") < page.text["cases"].index("Worst: photograph 5")


def decode(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_large_pictures_are_stored_as_jpeg():
    picture = np.broadcast_to(np.linspace(0, 255, 200).astype(np.uint8)[:, None, None], (200, 200, 3)).copy()
    uri = data_uri(picture)
    assert uri.startswith("data:image/jpeg") and np.abs(decode(uri).astype(int) - picture).max() < 6
    with pytest.raises(ValueError, match="uint8"):
        data_uri(picture / 255.0)
    with pytest.raises(ValueError, match="one shape"):
        amplified_error(picture, picture[:9])


def test_curves_of_both_runs_share_a_chart(comparison, page):
    html, labels = comparison[0], [attrs["aria-label"] for attrs in page.all_of("svg")]
    (psnr,) = [label for label in labels if label.startswith("PSNR (dB), 10-20% hole")]
    assert psnr.endswith("last 50 at step 300, 50 at step 300")
    chart = html[html.index('aria-label="loss/generator') :].split("</svg>")[0]
    assert "var(--series-0)" in chart and "var(--series-1)" in chart and "#a0b0" not in html
    assert "means of 7 values" in page.text["curves"]


def test_long_curves_are_thinned_to_means():
    steps = np.arange(1003.0)
    few, means = thin(steps, steps**2)
    assert len(few) <= POINTS and few[0] == 1.5 and few[-1] == 1001.0
    assert means[0] == np.mean(steps[:4] ** 2) and means[-1] == np.mean(steps[1000:] ** 2)
    assert thin(steps[:9], steps[:9])[1] is not None and len(thin(steps[:9], steps[:9])[0]) == 9
    with pytest.raises(ValueError, match="are needed"):
        thin(steps, steps[:3])


def test_names_are_text_and_never_markup(tmp_path):
    name = '<b>x</b> & "$1$'
    html, page = write(tmp_path, entry(name, 2), entry("other", 1), cases=(case(name, "other"),))
    assert "<b>x" not in html and name in page.text["scores"] and name in page.text["cases"]
    assert any(name in attrs["alt"] for attrs in page.all_of("img"))
    assert any(name in attrs["aria-label"] for attrs in page.all_of("svg"))
    assert "<held>" in page.text["top"]


def test_one_entry_needs_no_company_and_a_run_without_scalars_has_no_curves(tmp_path):
    html, page = write(tmp_path, entry("alone", 2), metrics=PSNR_ALONE)
    assert page.all_of("title") and "differences" not in page.text and "definitions" not in page.text
    assert 'class="best"' not in html and "No pictures were kept." in page.text["cases"]
    assert "No entry is a run" in page.text["curves"] and "No entry has a config." in page.text["config"]
    assert "edge_connect" not in page.text["scores"].split("Not in this report")[0]
    _, page = write(tmp_path, entry("early", 2, kind="run", folder=tmp_path / "none", config={"seed": 1}))
    assert "No entry is a run" in page.text["curves"] and '"seed": 1' in page.text["config"]


def test_empty_buckets_and_infinite_values_are_told(tmp_path):
    psnr = np.array([np.inf, 30, 32, np.inf, 34], np.float32)
    first = {"10-20%": {"standard/psnr": psnr}, "20-30%": {"standard/psnr": np.zeros(0, np.float32)}, "30-40%": {}}
    second = first | {"10-20%": {"standard/psnr": np.full(5, np.inf, np.float32)}}
    entries = [entry("one", 0, completion=first, sets={}), entry("two", 0, completion=second, sets={})]
    _, page = write(tmp_path, *entries, metrics=PSNR_ALONE)
    table = "scores", "Completed images"
    one = row_of(page, table, "10-20%", "one")[1:]
    assert one == ["32.00 ± 2.00 [30.00, 34.00] n 3, 2 infinite", "5"]  # 1 of 27 draws is 30
    assert row_of(page, table, "10-20%", "two")[1:] == ["infinite all 5", "5"]
    assert page.tables[table][-2:] == [["20-30%", "empty", "0"], ["30-40%", "empty", "0"]]
    cell = row_of(page, ("differences", "one minus each other entry"), "10-20%", "two")[1]
    assert "n 2, 3 -inf" in cell and not re.search("better|worse|undecided", cell)  # two infinite pairs differ by 0


def test_equal_results_make_equal_pages_where_they_can_be_written(tmp_path, comparison):
    runs, cases = comparison[2:]
    html, _ = write(tmp_path / "a", *runs, cases=cases)
    again, _ = write(tmp_path / "b", *runs, cases=cases)
    assert html == again and "2020-02-03 04:05 UTC" in html
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write(tmp_path / "file", *runs)
    later = tmp_path / "later.html"
    write_report(later, Results(CONDITIONS, METRICS, tuple(runs), cases))
    assert "2020-02-03" not in later.read_text()


def test_numbers_never_read_minus_zero():
    metric = METRICS["standard/psnr"]
    assert [printed(value, metric) for value in (-0.001, -0.006, 1.005)] == ["0.00", "-0.01", "1.00"]
    assert printed(-0.001, metric, "+") == "+0.00"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium: apt-get install chromium")
def test_a_phone_need_not_scroll_sideways(tmp_path, comparison):
    (tmp_path / "report.html").write_text(comparison[0])
    script = "let d = f.contentDocument.documentElement; document.title = `${d.scrollWidth} of ${d.clientWidth}`"
    frame = f'<iframe id="f" src="report.html" width="390" height="844" style="border:0" onload="{script}"></iframe>'
    (tmp_path / "phone.html").write_text(frame)
    command = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000", "--dump-dom"]
    found = subprocess.run([*command, f"file://{tmp_path}/phone.html"], capture_output=True, text=True, timeout=60)
    assert "<title>390 of 390</title>" in found.stdout


def psnr_only(name, values, **changes):
    completion = {"10-20%": {"standard/psnr": np.array(values, np.float32)}}
    return entry(name, 0, completion=completion, sets={}, **changes)


def compared(path, *values):
    """The cell of "ours" minus "theirs", and the page."""
    entries = [psnr_only(name, one) for name, one in zip(("ours", "theirs"), values)]
    _, page = write(path, *entries, metrics={"standard/psnr": METRICS["standard/psnr"]})
    return row_of(page, ("differences", "ours minus each other entry"), "10-20%", "theirs")[1], page


def test_verdicts_need_images_and_infinite_differences_keep_their_sign(tmp_path):
    for ours, theirs, expected, verdict in (
        ([21.0] * 9, [20.0] * 9, "+1.00 [+1.00, +1.00]", "+1.00 dB, no verdict in 1 of 1 buckets (fewer than 10"),
        ([21.0] * 10, [20.0] * 10, "+1.00 better [+1.00, +1.00]", "+1.00 dB, better in 1 of 1 buckets."),
        ([21.0] * 10, [np.inf] * 10, "-inf worse all 10", "-inf dB, worse in 1 of 1 buckets."),
        ([21.0] * 10 + [22.0], [20.0] * 10 + [np.inf], "+1.00 undecided [+1.00, +1.00] n 10, 1 -inf", ""),
        ([21.0] * 10 + [np.inf], [20.0] * 10 + [22.0], "+1.00 better [+1.00, +1.00] n 10, 1 +inf", ""),
        ([1.0, np.inf], [np.inf, 1.0], "infinite 1 +inf, 1 -inf", ""),
    ):
        cell, page = compared(tmp_path, ours, theirs)
        assert cell == expected and (not verdict or f"Against theirs: PSNR {verdict}" in page.text["top"])
        if np.isinf(theirs).all():
            assert page.tables["scores", "Completed images"][2][1:] == ["infinite all 10", "10"]


def test_magnitudes_are_subtracted_where_zero_is_best(tmp_path):
    entries = []
    for name, shift in (("ours", -2.0), ("theirs", 0.5)):
        flat = {key: np.full(N, shift, np.float32) for key in METRICS if key != "inception/fid"}
        entries.append(entry(name, 0, completion=dict.fromkeys(BUCKETS, flat), sets={}))
    results = Results(CONDITIONS, METRICS, tuple(entries))
    _, page = write(tmp_path, *entries)
    text = page.text["differences"]
    assert "|colour shift| (%)" in text and "|MAE|" not in text and "magnitudes are subtracted" in text
    (caption,) = {one for one in page.tables if one[0] == "differences"}
    cells = [row for row in page.tables[caption] if any("+1.50 worse" in cell for cell in row)]
    table = difference_table(results, "checks")
    assert cells and table.rows[0][2] == "+1.50 [+1.50, +1.50]"  # the tables say the same


def test_page_and_tables_mark_the_same_best(tmp_path):
    perfect, finite, some = [np.inf] * 3, [30.0, 31.0, 32.0], [np.inf, 31.0, 20.0]
    cases = [
        ((finite, some), [False, False]),  # means of other images
        ((some, [np.inf, 20.0, 20.0]), [True, False]),
        ((some, [20.0, 20.0, np.inf]), [False, False]),  # as many, but not the same ones
        ((perfect, some, finite), [True, False, False]),
        ((perfect, perfect, finite), [True, True, False]),
        ((finite, [30.001, 31.0, 32.0]), [True, True]),  # equal digits
        ((finite,), [False]),
    ]
    for values, expected in cases:
        entries = [psnr_only(f"entry {k}", one) for k, one in enumerate(values)]
        results = Results(CONDITIONS, {"standard/psnr": METRICS["standard/psnr"]}, tuple(entries))
        (column,) = zip(*(row.cells for row in page_table(results).bodies["10-20%"]))
        marked = {k for k, one in enumerate(expected) if one}
        assert [cell.best for cell in column] == expected
        assert score_table(results, "standard", full).best == {(k, 2) for k in marked}
    for better, infinity in (("lower", -np.inf), ("higher", np.inf)):
        metric = dataclasses.replace(METRICS["standard/psnr"], better=better)
        assert best_of_images([np.full(2, infinity), np.zeros(2)], metric) == [True, False]
        assert best_of_images([np.full(2, -infinity), np.zeros(2)], metric) == [False, False]


def page_table(results):
    return report_scores.score_table(results, ["standard/psnr"], "completion", "")


def test_a_run_and_its_style_search_share_curves_and_config(tmp_path):
    run_folders = []
    for name in "ab":
        (tmp_path / name).mkdir()
        run_folders.append(run_folder(tmp_path / name, 40))
    config = {"seed": 0, "method": {"name": "scan"}}
    plain, other = (entry(name, 1, kind="run", config=config, folder=f) for name, f in zip(("a", "b"), run_folders))
    folder = run_folders[0] / ".." / run_folders[0].name
    refined = entry("a with style search", 2, kind="run", config=config, folder=folder)
    html, page = write(tmp_path, plain, refined, other, cases=())
    assert html.count("<summary>Config of") == 2 and "Config of a, a with style search" in page.text["config"]
    labels = [attrs["aria-label"] for attrs in page.all_of("svg") if "by training step" in attrs["aria-label"]]
    assert labels and all(label.count("at step") == 2 for label in labels if "term" not in label)
    chart = html[html.index('aria-label="loss/generator') :].split("</svg>")[0]
    assert "var(--series-1)" not in chart and "var(--series-2)" in chart
    assert "a, a with style search" in page.text["curves"]
