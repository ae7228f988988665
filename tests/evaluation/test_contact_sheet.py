"""A contact sheet has a column for each thing there is to show, and completions keep what is known."""

import numpy as np
import pytest
from made_up_tests import SIZE, Noise
from PIL import Image

from scan_jax.evaluation import contact_sheet
from scan_jax.evaluation.contact_sheet import LOOKING, ContactSheet


def sheet_of(classes):
    holes = np.zeros((1, SIZE, SIZE), bool)
    holes[0, 3:9, 4:12] = True
    return ContactSheet(Noise(2, classes), {"10-20%": holes, "20-30%": holes}, num_labels=classes)


@pytest.mark.parametrize("classes", [0, 2])
def test_columns_and_completions(tmp_path, monkeypatch, classes):
    sheet, drawn = sheet_of(classes), {}
    assert (sheet.labels is not None) == bool(classes)
    for known, points in zip(sheet.known, sheet.points):
        assert all(known[row, column, 0] == 0 for row, column in points)
    monkeypatch.setattr(contact_sheet, "save_grid", lambda path, *given: drawn.update(zip(("columns", "rows"), given)))
    weights = np.zeros((2, LOOKING, SIZE, SIZE), np.float32)
    sheet.write(tmp_path / "a.png", {"filled": np.zeros((2, SIZE, SIZE, 3), np.float32)}, {"attention": weights})
    looks = [f"attention {i + 1}" for i in range(LOOKING)]
    assert drawn["columns"] == ["input", *(["labels"] if classes else []), "filled", *looks, "truth"]
    for n, (_, pictures) in enumerate(drawn["rows"]):
        row = dict(zip(drawn["columns"], pictures))
        np.testing.assert_array_equal(row["filled"], sheet.image[n] * sheet.known[n])  # zero in the hole
        np.testing.assert_array_equal(row["truth"], sheet.image[n])
    assert [bucket for bucket, _ in drawn["rows"]] == ["10-20%", "20-30%"]


def test_a_whole_png_is_written(tmp_path):
    sheet = sheet_of(2)
    sheet.write(tmp_path / "pictures" / "a.png", {"filled": sheet.image}, {})
    with Image.open(tmp_path / "pictures" / "a.png") as image:
        assert image.size[0] > 4 * 128
