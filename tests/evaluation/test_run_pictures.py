"""Contact sheets, curves, heat maps, and the photographs that a report shows."""

import json

import numpy as np
import pytest
from made_up_tests import SIZE, Noise
from PIL import Image

from scan_jax.evaluation import run_pictures
from scan_jax.evaluation.benchmark import Benchmark, Row
from scan_jax.evaluation.entries import one_by_one
from scan_jax.evaluation.report.gallery import choose, make_cases
from scan_jax.evaluation.run_pictures import LOOKING, ContactSheet, choose_points, draw_curves, overlay, read_scalars
from scan_jax.images.contact_sheet import TINT, grid, save_grid, tint_hole


def test_tint_hides_the_hole_and_nothing_else():
    image = np.random.default_rng(0).random((9, 7, 3), np.float32)
    known = (np.random.default_rng(1).random((9, 7, 1)) < 0.6).astype(np.float32)
    tinted = tint_hole(image, known)
    np.testing.assert_array_equal(tinted[known[..., 0] == 1], image[known[..., 0] == 1])
    assert np.all(tinted[known[..., 0] == 0] == np.float32(TINT))
    with pytest.raises(ValueError, match="are needed"):
        tint_hole(image, known[..., 0])


def test_every_picture_is_in_its_cell():
    rng = np.random.default_rng(2)
    pictures = rng.integers(0, 256, (2, 3, 20, 30, 3), np.uint8)
    sheet = np.asarray(grid(("a", "b", "c"), [("one", pictures[0]), ("two", pictures[1] / 255.0)]))
    zoom = 7  # 20 -> at least 128
    top, left = 26, sheet.shape[1] - 3 * (30 * zoom + 4)
    for (i, j), picture in zip(np.ndindex(2, 3), pictures.reshape(6, 20, 30, 3)):
        cell = sheet[top + i * (20 * zoom + 4) :, left + j * (30 * zoom + 4) :][: 20 * zoom, : 30 * zoom]
        np.testing.assert_array_equal(cell, picture.repeat(zoom, axis=0).repeat(zoom, axis=1))
    assert sheet[:26].min() < 128  # titles are written


def test_save_grid_writes_a_whole_png_of_even_rows(tmp_path):
    save_grid(tmp_path / "new" / "sheet.png", ("a",), [("", [np.full((140, 150, 3), 0.5)])])
    with Image.open(tmp_path / "new" / "sheet.png") as image:
        assert image.format == "PNG" and image.getpixel((image.width // 2, image.height - 20)) == (128, 128, 128)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["sheet.png"]
    picture = np.zeros((8, 8, 3))
    for rows in ([("", [picture])], [("", [picture, picture[:4]])], []):
        with pytest.raises(ValueError, match="rows of 2 pictures"):
            grid(("a", "b"), rows)


def test_scalars_survive_a_crash_and_infinities(tmp_path):
    lines = [{"step": 1, "loss/generator": 2.0}, {"step": 2, "loss/generator": float("inf"), "eval/psnr/10-20%": 20.0}]
    path = tmp_path / "scalars.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 3, "loss/gen')
    assert read_scalars(path) == {"loss/generator": ([1], [2.0]), "eval/psnr/10-20%": ([2], [20.0])}
    assert read_scalars(tmp_path / "none.jsonl") == {}


def test_curves_are_drawn_as_far_as_there_is_something_to_draw(tmp_path):
    draw_curves(tmp_path)
    assert list(tmp_path.iterdir()) == []
    lines = [{"step": step, "loss/generator": 1 / step, "term/l1": 2 / step} for step in (1, 2, 3)]
    (tmp_path / "scalars.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw_curves(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"scalars.jsonl", "losses.png"}
    with (tmp_path / "scalars.jsonl").open("a") as file:
        file.write(json.dumps({"step": 3, "eval/psnr/10-20%": 21.5, "eval/psnr/40-50%": 18.0}) + "\n")
    draw_curves(tmp_path)
    for name in ("losses.png", "psnr.png"):
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 200 and np.asarray(image.convert("L")).std() > 5


def test_points_lie_in_the_hole_apart_from_each_other():
    known = np.ones((20, 30, 1))
    known[2:9, 3:10] = 0
    known[10:19, 20:29] = 0
    points = choose_points(known, 2)
    assert all(known[row, column, 0] == 0 for row, column in points)
    np.testing.assert_array_equal(points[0], [14, 24])  # the middle of the larger one
    assert points[1][0] < 9
    np.testing.assert_array_equal(choose_points(np.ones((20, 30, 1)), 3), [[10, 15]] * 3)


def test_high_is_red_low_is_blue_and_the_pixel_black():
    image, weights = np.full((40, 40, 3), 0.5), np.zeros((40, 40))
    weights[5, 6] = 0.02
    picture = overlay(image, weights, np.array([30, 31]))
    red, blue = picture[5, 6], picture[20, 20]
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    np.testing.assert_array_equal(picture[30, 31], 0)
    assert np.isfinite(overlay(image, np.zeros((40, 40)), np.array([0, 0]))).all()
    with pytest.raises(ValueError, match=r"\[H,W,3\] and \[H,W\]"):
        overlay(image, weights[:-1], np.array([0, 0]))


def sheet_of(classes):
    holes = np.zeros((1, SIZE, SIZE), bool)
    holes[0, 3:9, 4:12] = True
    return ContactSheet(Noise(2, classes), {"10-20%": holes, "20-30%": holes}, num_labels=classes)


@pytest.mark.parametrize("classes", [0, 2])
def test_columns_and_completions(tmp_path, monkeypatch, classes):
    sheet, drawn = sheet_of(classes), {}
    sheet.write(tmp_path / "pictures" / "a.png", {"filled": sheet.image}, {})
    with Image.open(tmp_path / "pictures" / "a.png") as image:
        assert image.size[0] > (4 if classes else 3) * 128
    assert (sheet.labels is not None) == bool(classes)
    for known, points in zip(sheet.known, sheet.points):
        assert all(known[row, column, 0] == 0 for row, column in points)
    monkeypatch.setattr(run_pictures, "save_grid", lambda path, *given: drawn.update(zip(("columns", "rows"), given)))
    weights = np.zeros((2, LOOKING, SIZE, SIZE), np.float32)
    sheet.write(tmp_path / "a.png", {"filled": np.zeros((2, SIZE, SIZE, 3), np.float32)}, {"attention": weights})
    looks = [f"attention {i + 1}" for i in range(LOOKING)]
    assert drawn["columns"] == ["input", *(["labels"] if classes else []), "filled", *looks, "truth"]
    for n, (_, pictures) in enumerate(drawn["rows"]):
        row = dict(zip(drawn["columns"], pictures))
        np.testing.assert_array_equal(row["filled"], sheet.image[n] * sheet.known[n])  # zero in the hole
        np.testing.assert_array_equal(row["truth"], sheet.image[n])
    assert [bucket for bucket, _ in drawn["rows"]] == ["10-20%", "20-30%"]


def test_best_median_and_worst_of_each_bucket():
    psnr = np.array([20.0, np.inf, 25.0, 10.0, 30.0])
    scores = {"a": {"psnr": psnr}, "b": {"psnr": psnr[:2]}, "c": {"psnr": psnr[:0]}, "d": {"psnr": psnr[:1]}}
    wanted = [("a", 1, "best"), ("a", 2, "median"), ("a", 3, "worst"), ("b", 1, "best"), ("b", 0, "worst")]
    assert choose(scores, "psnr") == [(Row(*row), rank) for *row, rank in [*wanted, ("d", 0, "best")]]


def test_everyone_fills_the_same_hole():
    hole, photographs = np.zeros((1, SIZE, SIZE), bool), Noise(5)
    hole[0, 2:4, 2:4] = True
    fills = {
        "white": one_by_one(lambda photograph, hole, labels: np.where(hole[..., None], np.uint8(255), photograph)),
        "same": one_by_one(lambda photograph, hole, labels: photograph),
    }
    choices = choose({"a": {"psnr": np.arange(5.0)}}, "psnr")
    cases = make_cases(choices, Benchmark(photographs, {"a": hole}, 5, 2), fills, None)
    assert [(case.index, case.rank) for case in cases] == [(4, "best"), (2, "median"), (0, "worst")]
    for case in cases:
        truth = photographs.images[case.index]
        np.testing.assert_array_equal(case.truth, truth)
        np.testing.assert_array_equal(case.completions["same"], truth)
        np.testing.assert_array_equal(case.known[..., 0], 1 - hole[0])
        np.testing.assert_array_equal(case.completions["white"], np.where(hole[0, ..., None], 255, truth))
        assert case.looks == {}
