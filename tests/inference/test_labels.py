"""One photograph's label map from whatever a caller has."""

import numpy as np
import pytest
from PIL import Image

from scan_jax.errors import UserError
from scan_jax.inference.files.labels import read_labels

LABELS = np.random.default_rng(0).integers(0, 12, (9, 13), np.uint8)


def test_files_images_and_arrays_are_one(tmp_path):
    path = tmp_path / "labels.png"
    Image.fromarray(LABELS).save(path)
    for source in (path, str(path), Image.fromarray(LABELS), LABELS, LABELS.astype(np.int64), LABELS[..., None]):
        found = read_labels(source, 12)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, LABELS)


def test_what_is_no_label_map_is_refused_in_one_line():
    colours = np.random.default_rng(1).integers(0, 256, (9, 13, 3), np.uint8)
    for source, message in (
        (colours, "colour image"),
        (Image.fromarray(colours), "colour image"),
        (LABELS / 11.0, "must be integers"),
        (LABELS.astype(np.int64) - 3, "label -3"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            read_labels(source)
        assert "\n" not in str(caught.value)
    assert read_labels(LABELS * 20).max() == 220
    with pytest.raises(UserError, match="the label 220, but 12 classes"):
        read_labels(LABELS * 20, 12)
