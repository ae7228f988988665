"""What the report says of two entries: differences, verdicts, the best, and what they share. As the tables do."""

import dataclasses

import numpy as np
from made_up_pages import BUCKETS, CONDITIONS, METRICS, N, entry, row_of, run_folder, write

from scan_jax.evaluation.comparison import best_of_images
from scan_jax.evaluation.report import scores as report_scores
from scan_jax.evaluation.results import Results
from scan_jax.evaluation.tables.by_bucket import difference_table, score_table
from scan_jax.evaluation.tables.cells import full
from scan_jax.evaluation.tables.summaries import Summaries


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
    table = difference_table(Summaries(results), "checks")
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
        assert score_table(Summaries(results), "standard", full).best == {(k, 2) for k in marked}
    for better, infinity in (("lower", -np.inf), ("higher", np.inf)):
        metric = dataclasses.replace(METRICS["standard/psnr"], better=better)
        assert best_of_images([np.full(2, infinity), np.zeros(2)], metric) == [True, False]
        assert best_of_images([np.full(2, -infinity), np.zeros(2)], metric) == [False, False]


def page_table(results):
    return report_scores.score_table(results, ["standard/psnr"], [one.completion for one in results.entries], "")


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
