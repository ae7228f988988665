"""Contact sheets and curves."""

import json

import numpy as np
import pytest
from PIL import Image

from scan_jax.evaluation.curves import draw_curves, read_scalars
from scan_jax.pictures import TINT, grid, save_grid, tint_hole


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
