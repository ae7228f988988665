"""The picture of a batch is what training sees: the same photographs, holes and labels, at the step that is named."""

import re

import numpy as np
import pytest
from PIL import Image
from tiny_demo import error_of

from scan_jax.commands import inputs, show_batch
from scan_jax.core import config as configuration
from scan_jax.images.contact_sheet import GAP, TINT
from scan_jax.images.palette import paint

SIZE = 128  # so that the picture enlarges nothing
TINY = [
    *("--config=configs/portraits64.py", f"--config.data.size={SIZE}", "--config.data.count=6"),
    *("--config.data.held_out=2", "--config.training.batch_size=3", "--config.augmentation.crop=random_resized"),
]


@pytest.fixture(autouse=True)
def in_the_repository(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)


def cells(path, rows, columns):
    """The pictures in a sheet, [rows,columns,S,S,3] in bytes; titles and labels lie above and to the left."""
    sheet = np.asarray(Image.open(path))
    top, left = sheet.shape[0] - rows * (SIZE + GAP), sheet.shape[1] - columns * (SIZE + GAP)
    grid = sheet[top:, left:].reshape(rows, SIZE + GAP, columns, SIZE + GAP, 3).swapaxes(1, 2)
    return grid[:, :, :SIZE, :SIZE]


def seen_by_training(path, num_labels, step):
    config = configuration.load(path, TINY[1:])
    batches = inputs.open_sources(config, num_labels).batches_from(step)
    example = next(batches)
    batches.close()
    return example


def test_it_shows_what_training_sees(tmp_path):
    assert show_batch.main([*TINY, f"--out={tmp_path / 'batch.png'}", "--step=5"]) == 0
    shown = cells(tmp_path / "batch.png", 3, 3)
    example = seen_by_training("configs/portraits64.py", 19, 5)
    image = np.round(255 * example.image).astype(np.uint8)
    tint = np.round(255 * np.array(TINT)).astype(np.uint8)
    np.testing.assert_array_equal(shown[:, 0], image)
    np.testing.assert_array_equal(shown[:, 1], np.where(example.known > 0, image, tint))
    np.testing.assert_array_equal(shown[:, 2], paint(example.labels, 19))


def test_rows_are_the_first_and_methods_without_labels_show_none(tmp_path):
    arguments = ["--config=configs/demo.py", *TINY[1:], f"--out={tmp_path / 'batch.png'}", "--step=5", "--rows=2"]
    assert show_batch.main(arguments) == 0
    image = np.round(255 * seen_by_training("configs/demo.py", 0, 5).image).astype(np.uint8)
    np.testing.assert_array_equal(cells(tmp_path / "batch.png", 2, 2)[:, 0], image[:2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out=batch.jpg"], "must end in .png"),
        (["--out=batch.png", "--step=-1"], "--step must not be negative"),
        (["--out=batch.png", "--rows=0"], "--rows must be positive"),
        (["--out=batch.png", "--config.augmentaton.flip=1.0"], "did you mean 'augmentation'"),
        (["--out=batch.png", "--config.augmentation.flip=1.5"], "flip must be from 0 to 1"),
        (["--out=batch.png", "--config.augmentation.crop='random'"], "crop must be one of .*did you mean"),
        (["--out=batch.png", "--config.training.batch_size=0"], r"batch_size must be from 1 to \d+, not 0"),
    ],
)
def test_bad_arguments_are_one_line(arguments, message, tmp_path):
    given = [argument.replace("--out=", f"--out={tmp_path}/") for argument in arguments]
    assert re.search(message, error_of(show_batch.main, *TINY, *given))
    assert list(tmp_path.iterdir()) == []
