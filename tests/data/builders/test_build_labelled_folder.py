"""Photographs with label maps: layouts, splits, sizes, and labels that cannot be."""

import logging
from pathlib import Path

import miniatures
import numpy as np
import pytest

from scan_jax.core.errors import UserError
from scan_jax.data.api import open_data
from scan_jax.data.builders.photo_folder import LabelledFolder
from scan_jax.data.preparation.build import verify

CLASSES, HEIGHT, WIDTH = 7, 64, 80


def scene(seed, height=HEIGHT, width=WIDTH):
    """A label map [H,W] in blocks of 8, and a photograph in its classes' colours."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, CLASSES, (-(-height // 8), -(-width // 8)), np.uint8)
    labels = np.repeat(np.repeat(labels, 8, 0), 8, 1)[:height, :width]
    return paint(labels), labels


def paint(labels):
    return np.stack([30 * labels, 10 * labels, 255 - 30 * labels], -1).astype(np.uint8)


def write_beside(folder, count, first=0, images="", labels="", suffix="_label"):
    for i in range(first, first + count):
        image, label_map = scene(i)
        miniatures.write(folder / images / f"{i:02d}.png", image)
        miniatures.write(folder / labels / f"{i:02d}{suffix}.png", label_map)
    return folder


def write_apart(folder, count, first=0):
    return write_beside(folder, count, first, "images", "labels", "")


@pytest.fixture
def street(tmp_path):
    return write_beside(tmp_path / "street", 3)


def plan(source, **settings):
    return LabelledFolder(source=str(source), **({"num_labels": CLASSES, "size": 64} | settings)).plan()


def refused(match, source, data_dir, **settings):
    with miniatures.refuses(match, data_dir):
        miniatures.built(plan(source, **settings), data_dir)


@pytest.mark.parametrize("layout", [write_beside, write_apart])
@pytest.mark.parametrize("zipped", [False, True])
def test_both_layouts(layout, zipped, tmp_path):
    source = layout(tmp_path / "street", 6)
    source = miniatures.write_zip(tmp_path / "street.zip", source) if zipped else source
    dataset = miniatures.built(plan(source, flip_pairs=((1, 2),)), tmp_path / "out")
    assert (dataset.name, dataset.flip_pairs) == ("labelled_folder/street-64", ((1, 2),))
    assert dataset.label_names == ("0", "1", "2", "3", "4", "5", "6")
    records = miniatures.by_name(dataset)
    assert len(records) == 6
    for name, record in records.items():
        image, labels = scene(int(Path(name).stem))
        np.testing.assert_array_equal(record["labels"], labels[:, 8:72])
        np.testing.assert_array_equal(record["image"], image[:, 8:72])
    with pytest.raises(UserError, match="other photographs or settings"):
        miniatures.built(plan(source, flip_pairs=((3, 4),)), tmp_path / "out")


@pytest.mark.parametrize("folders", [("train", "val", "test"), ("Training", "testing"), ("train", "validation")])
def test_folders_are_the_splits(folders, tmp_path):
    layout = write_apart if "test" in folders else write_beside
    for i, folder in enumerate(folders):
        layout(tmp_path / "street" / folder, 3 - i, 3 * i)
    made = plan(tmp_path / "street")
    assert made.split.name == "by_folder"
    numbers = [(part, [int(Path(name).stem) for name in names]) for part, names in miniatures.members(made).items()]
    parts = {"Training": "train", "testing": "test", "val": "validation"}
    assert numbers == [(parts.get(name, name), list(range(3 * i, 2 * i + 3))) for i, name in enumerate(folders)]


def test_a_list_goes_before_folders(tmp_path):
    for folder in ("train", "test"):
        write_beside(tmp_path / "street" / folder, 2)
    split = miniatures.write_split(tmp_path / "mine.txt", train=["test/00", "test/01.png"], test=["train/00"])
    members = miniatures.members(plan(tmp_path / "street", split=split))
    assert members == {"train": ["test/00.png", "test/01.png"], "test": ["train/00.png"]}


def test_label_maps_of_another_size(street, tmp_path):
    miniatures.write(street / "01_label.png", scene(1)[1][::2, ::2])
    refused(r"01_label.png is 40x32, its photograph 80x64; .*--label_size=any", street, tmp_path / "out")
    dataset = miniatures.built(plan(street, label_size="any"), tmp_path / "out")
    np.testing.assert_array_equal(miniatures.by_name(dataset)["01.png"]["labels"], scene(1)[1][:, 8:72])


def test_an_all_of_it_crop_keeps_labels_with_the_photograph(street, tmp_path):
    dataset = miniatures.built(plan(street, crop="stretch"), tmp_path / "out")
    for name, record in miniatures.by_name(dataset).items():
        rows, columns = np.arange(64), ((np.arange(64) + 0.5) * 80 / 64).astype(int)
        np.testing.assert_array_equal(record["labels"], scene(int(name[:2]))[1][np.ix_(rows, columns)])
        assert (np.abs(paint(record["labels"]).astype(int) - record["image"]) < 2).all(-1).mean() > 0.8


def with_label(label):
    labels = scene(2)[1].copy()
    labels[5, 6] = label
    return labels


@pytest.mark.parametrize(
    ("labels", "match", "settings"),
    [
        *((with_label(n), rf"has the label {n}, but 7 classes are numbered 0 to 6", {}) for n in (7, 200, 255)),
        (scene(2)[0], r"is a colour image", {}),
        (scene(2)[1][:, :64], r"is 64x64, its photograph 80x64: their proportions differ", {"label_size": "any"}),
    ],
)
def test_label_maps_that_cannot_be(labels, match, settings, street, tmp_path):
    miniatures.write(street / "02_label.png", labels)
    refused(rf"02_label.png {match}", street, tmp_path / "out", allow_missing=3, **settings)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        *(({"num_labels": count}, r"--num_labels must be from 1 to 256") for count in (0, 257, -1)),
        ({"flip_pairs": ((1, 7),)}, r"--flip_pairs must name each label once"),
        ({"flip_pairs": ((1, 2), (2, 3))}, r"--flip_pairs must name each label once"),
        ({"flip_pairs": ((1, 1),)}, r"--flip_pairs must name each label once"),
    ],
)
def test_settings_that_cannot_be(settings, match, street, tmp_path):
    refused(match, street, tmp_path / "out", **settings)


def test_those_without_the_other_half(street, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    (street / "02.png").unlink()
    assert sum(map(len, plan(street).splits.values())) == 2
    assert "1 label map " in caplog.text
    (street / "01_label.png").unlink()
    refused(r"1 of 2 photographs in .* has no label map: 01.png", street, tmp_path / "out")


@pytest.mark.parametrize("spoil", [miniatures.truncate, miniatures.empty])
def test_a_broken_label_map_is_named(spoil, street, tmp_path):
    spoil(street / "02_label.png")
    refused(r"1 file does not decode: 02.png \(its label map 02_label.png: ", street, tmp_path / "out")
    dataset = miniatures.built(plan(street, allow_missing=1), tmp_path / "out")
    assert sorted(miniatures.by_name(dataset)) == ["00.png", "01.png"]


def test_it_is_built_as_the_folder_source_reads_it(tmp_path):
    for folder in ("train", "val"):
        write_beside(tmp_path / "street" / folder, 3)
    dataset = miniatures.built(plan(tmp_path / "street"), tmp_path / "out")
    folder = {"name": "labelled_folder", "path": str(tmp_path / "street"), "num_labels": CLASSES, "size": 64}
    built = {"name": "prepared", "dataset": dataset.name, "size": 64, "data_dir": str(tmp_path / "out")}
    for one, other in zip(*(open_data(section) for section in (folder, built))):
        assert len(one) == len(other) == 3
        for i in range(3):
            for key in ("image", "labels"):
                np.testing.assert_array_equal(one[i][key], other[i][key])
    assert verify(dataset.folder) == {"train": 3, "validation": 3}
