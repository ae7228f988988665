"""Mistakes in another program's results are named by their cause, and good results are left in peace."""

import logging

import cv2
import numpy as np
import pytest
from made_up_tests import noise_holes
from PIL import Image

from scan_jax.evaluation import prediction_check as check
from scan_jax.evaluation.benchmark import Benchmark, Row
from scan_jax.evaluation.exchange import from_predictions
from scan_jax.evaluation.prediction_check import find_mistake, hole_of

SIZE = 16
FIRST = Row("10-20%", 0)


class Scenes:
    """Smooth coloured pictures, as photographs are; with few labels."""

    name, digest = "scenes", "a" * 64

    def __init__(self, count):
        coarse = np.random.default_rng(0).integers(0, 256, (count, 5, 5, 3), np.uint8)
        self.images = [cv2.resize(one, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for one in coarse]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {"image": self.images[index]}


SCENES = Scenes(4)
TEST = Benchmark(SCENES, noise_holes(few=2), 4, 4, "toy v1", "holes", "b" * 64)
TRUTH = SCENES.images[0]


def filled(row, wrong=90):
    """The photograph with its hole in one grey."""
    return np.where(hole_of(TEST, row)[..., None], np.uint8(wrong), SCENES.images[row.index])


def halved(image):
    small = cv2.resize(image, (SIZE // 2, SIZE // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (filled(FIRST), ("", "")),
        (np.clip(filled(FIRST).astype(int) + 20, 0, 255).astype(np.uint8), ("", "")),  # poor, but no mistake of these
        (np.where(hole_of(TEST, FIRST)[..., None], TRUTH, np.uint8(7)), ("", "")),  # it paints the hole alone
        (filled(FIRST)[..., ::-1], (check.CHANNELS, "")),
        (np.roll(filled(FIRST), 1, 1), (check.SHIFT, "0, 1")),
        (np.roll(filled(FIRST), (-2, 1), (0, 1)), (check.SHIFT, "-2, 1")),
        (filled(Row("10-20%", 2)), (check.NAMES, "10-20/00002")),
        (filled(Row("40-50%", 0)), (check.NAMES, "40-50/00000")),
        (halved(TRUTH), (check.RESIZE, "")),
        ((filled(FIRST) > 127).astype(np.uint8), (check.RANGE, "")),
        (np.clip(2.0 * filled(FIRST) - 255, 0, 255).astype(np.uint8), (check.RANGE, "")),
        (np.random.default_rng(5).integers(0, 256, (SIZE, SIZE, 3), np.uint8), (check.UNKNOWN, "74")),
    ],
)
def test_the_cause_that_fits(prediction, expected):
    thumbs = np.stack([check._thumb(image) for image in SCENES.images])
    assert find_mistake(prediction, FIRST, TEST, lambda: thumbs) == expected


def test_the_first_file_is_named_once_for_each_cause(tmp_path, caplog):
    for row in TEST.rows():
        image = filled(row)
        if row.index in (1, 2):
            image = filled(Row(row.bucket, 3 - row.index))
        path = tmp_path / row.bucket.rstrip("%") / f"{row.index:05d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image[..., ::-1] if row == Row("40-50%", 3) else image).save(path)
    with caplog.at_level(logging.WARNING):
        from_predictions(tmp_path, TEST)
    names, channels = [record.getMessage() for record in caplog.records]
    assert names.startswith(f"{tmp_path}/10-20/00001.png shows another photograph or hole of the test (")
    assert names.endswith("exchanged?): 10-20/00002 (4 of the 8 predictions that were looked at)")
    assert channels.startswith(f"{tmp_path}/40-50/00003.png has red and blue exchanged (write RGB")
