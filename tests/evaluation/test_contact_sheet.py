"""A contact sheet has a column for each thing there is to show, and completions keep what is known."""

import numpy as np
import pytest
from PIL import Image

from scan_jax.evaluation import contact_sheet
from scan_jax.evaluation.contact_sheet import LOOKING, ContactSheet


class Source:
    name, digest = "two photographs", "0"

    def __init__(self, labelled):
        self._labelled = labelled

    def __len__(self):
        return 2

    def __getitem__(self, index):
        image = np.random.default_rng(index).integers(0, 256, (16, 16, 3), np.uint8)
        return {"image": image} | ({"labels": np.full((16, 16), index, np.uint8)} if self._labelled else {})


def holes():
    hole = np.zeros((1, 16, 16), bool)
    hole[0, 3:9, 4:12] = True
    return {"10-20%": hole, "20-30%": hole}


@pytest.mark.parametrize("labelled", [True, False])
def test_columns_and_completions(tmp_path, monkeypatch, labelled):
    sheet = ContactSheet(Source(labelled), holes(), num_labels=2 if labelled else 0)
    assert (sheet.labels is not None) == labelled
    for known, points in zip(sheet.known, sheet.points):
        assert all(known[row, column, 0] == 0 for row, column in points)
    drawn = {}
    monkeypatch.setattr(
        contact_sheet, "save_grid", lambda path, columns, rows: drawn.update(columns=columns, rows=rows)
    )
    weights = np.zeros((2, LOOKING, 16, 16), np.float32)
    sheet.write(tmp_path / "a.png", {"filled": np.zeros((2, 16, 16, 3), np.float32)}, {"attention": weights})
    looks = [f"attention {i + 1}" for i in range(LOOKING)]
    assert drawn["columns"] == ["input", *(["labels"] if labelled else []), "filled", *looks, "truth"]
    for n, (_, pictures) in enumerate(drawn["rows"]):
        row = dict(zip(drawn["columns"], pictures))
        np.testing.assert_array_equal(row["filled"], sheet.image[n] * sheet.known[n])  # zero in the hole
        np.testing.assert_array_equal(row["truth"], sheet.image[n])
    assert [bucket for bucket, _ in drawn["rows"]] == ["10-20%", "20-30%"]


def test_a_whole_png_is_written(tmp_path):
    sheet = ContactSheet(Source(True), holes(), num_labels=2)
    sheet.write(tmp_path / "pictures" / "a.png", {"filled": sheet.image}, {})
    with Image.open(tmp_path / "pictures" / "a.png") as image:
        assert image.size[0] > 4 * 128
