"""Photographs with label maps: layouts, splits, sizes, and labels that cannot be."""

import logging
import os
from pathlib import Path

import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.data.api import open_data
from scan_jax.data.builders import labelled_folder
from scan_jax.data.builders.labelled_folder import Settings
from scan_jax.data.preparation.verify import verify
from scan_jax.errors import UserError

CLASSES, HEIGHT, WIDTH = 7, 64, 80


def scene(seed, height=HEIGHT, width=WIDTH):
    """A label map [H,W] in blocks of 8, and a photograph in its classes' colours."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, CLASSES, (-(-height // 8), -(-width // 8)), np.uint8)
    labels = np.repeat(np.repeat(labels, 8, 0), 8, 1)[:height, :width]
    return paint(labels), labels


def paint(labels):
    return np.stack([30 * labels, 10 * labels, 255 - 30 * labels], -1).astype(np.uint8)


def write_beside(folder, count, first=0):
    for i in range(first, first + count):
        image, labels = scene(i)
        miniatures.write(folder / f"{i:02d}.png", image)
        miniatures.write(folder / f"{i:02d}_label.png", labels)
    return folder


def write_apart(folder, count, first=0):
    for i in range(first, first + count):
        image, labels = scene(i)
        miniatures.write(folder / "images" / f"{i:02d}.png", image)
        miniatures.write(folder / "labels" / f"{i:02d}.png", labels)
    return folder


def plan(source, **settings):
    return labelled_folder.plan(Settings(source=str(source), **({"num_labels": CLASSES, "size": 64} | settings)))


def refused(match, source, data_dir, **settings):
    with pytest.raises(UserError, match=match) as caught:
        miniatures.built(plan(source, **settings), data_dir)
    assert "\n" not in str(caught.value)
    assert miniatures.files_below(data_dir) == []


@pytest.mark.parametrize("layout", [write_beside, write_apart])
@pytest.mark.parametrize("zipped", [False, True])
def test_both_layouts(layout, zipped, tmp_path):
    source = layout(tmp_path / "street", 6)
    source = miniatures.write_zip(tmp_path / "street.zip", source) if zipped else source
    dataset = miniatures.built(plan(source, flip_pairs=((1, 2),)), tmp_path / "out")
    assert (dataset.name, dataset.flip_pairs) == ("labelled_folder/street-64", ((1, 2),))
    assert dataset.label_names == ("0", "1", "2", "3", "4", "5", "6")
    records = miniatures.pixels(dataset, "train") | miniatures.pixels(dataset, "test")
    assert len(records) == 6
    for name, record in records.items():
        image, labels = scene(int(Path(name).stem))
        np.testing.assert_array_equal(record["labels"], labels[:, 8:72])
        np.testing.assert_array_equal(record["image"], image[:, 8:72])


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("train", "val", "test"), ("train", "validation", "test")),
        (("Training", "testing"), ("train", "test")),
        (("train", "validation"), ("train", "validation")),
    ],
)
@pytest.mark.parametrize("layout", [write_beside, write_apart])
def test_folders_are_the_splits(layout, folders, parts, tmp_path):
    for i, folder in enumerate(folders):
        layout(tmp_path / "street" / folder, 3 - i, 3 * i)
    dataset = miniatures.built(plan(tmp_path / "street"), tmp_path / "out")
    assert (tuple(dataset.splits), dataset.split) == (parts, "by_folder")
    assert [len(records) for records in dataset.splits.values()] == [3, 2, 1][: len(parts)]
    for i, part in enumerate(parts):
        numbers = [int(Path(name).stem) for name in miniatures.pixels(dataset, part)]
        assert numbers == list(range(3 * i, 3 * i + 3 - i))


def test_a_list_goes_before_folders(tmp_path):
    for folder in ("train", "test"):
        write_beside(tmp_path / "street" / folder, 2)
    split = miniatures.write_split(tmp_path / "mine.txt", train=["test/00", "test/01.png"], test=["train/00"])
    made = plan(tmp_path / "street", split=split)
    members = {part: [item.name for item in items] for part, items in made.splits.items()}
    assert members == {"train": ["test/00.png", "test/01.png"], "test": ["train/00.png"]}


def test_label_maps_of_another_size(tmp_path):
    write_beside(tmp_path / "street", 3)
    small = scene(1)[1][::2, ::2]
    miniatures.write(tmp_path / "street" / "01_label.png", small)
    refused(r"01_label.png is 40x32, its photograph 80x64; .*--label_size=any", tmp_path / "street", tmp_path / "out")
    dataset = miniatures.built(plan(tmp_path / "street", label_size="any"), tmp_path / "out")
    records = miniatures.pixels(dataset, "train") | miniatures.pixels(dataset, "test")
    np.testing.assert_array_equal(records["01.png"]["labels"], scene(1)[1][:, 8:72])


def test_label_maps_of_other_proportions(tmp_path):
    write_beside(tmp_path / "street", 3)
    miniatures.write(tmp_path / "street" / "01_label.png", scene(1)[1][:, :64])
    match = r"01_label.png is 64x64, its photograph 80x64: their proportions differ"
    refused(match, tmp_path / "street", tmp_path / "out", label_size="any")


def test_an_all_of_it_crop_keeps_labels_with_the_photograph(tmp_path):
    write_beside(tmp_path / "street", 2)
    dataset = miniatures.built(plan(tmp_path / "street", crop="stretch"), tmp_path / "out")
    for name, record in (miniatures.pixels(dataset, "train") | miniatures.pixels(dataset, "test")).items():
        rows, columns = np.arange(64), ((np.arange(64) + 0.5) * 80 / 64).astype(int)
        np.testing.assert_array_equal(record["labels"], scene(int(name[:2]))[1][np.ix_(rows, columns)])
        assert (np.abs(paint(record["labels"]).astype(int) - record["image"]) < 2).all(-1).mean() > 0.8


@pytest.mark.parametrize("label", [7, 200, 255])
def test_labels_outside_the_classes(label, tmp_path):
    write_beside(tmp_path / "street", 3)
    labels = scene(2)[1].copy()
    labels[5, 6] = label
    miniatures.write(tmp_path / "street" / "02_label.png", labels)
    match = rf"02_label.png has the label {label}, but 7 classes are numbered 0 to 6"
    refused(match, tmp_path / "street", tmp_path / "out", allow_missing=3)


def test_coloured_label_maps(tmp_path):
    write_beside(tmp_path / "street", 3)
    miniatures.write(tmp_path / "street" / "02_label.png", scene(2)[0])
    refused(r"02_label.png is a colour image", tmp_path / "street", tmp_path / "out")


def test_a_photograph_without_a_label_map(tmp_path):
    write_beside(tmp_path / "street", 3)
    (tmp_path / "street" / "02_label.png").unlink()
    refused(r"1 of 3 photographs in .* have no label map: 02.png", tmp_path / "street", tmp_path / "out")


def test_label_maps_of_nobody_are_told(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    write_beside(tmp_path / "street", 3)
    (tmp_path / "street" / "02.png").unlink()
    assert sum(map(len, plan(tmp_path / "street").splits.values())) == 2
    assert "1 label maps" in caplog.text


@pytest.mark.parametrize("spoil", [miniatures.truncate, lambda path: path.write_bytes(b"")])
def test_a_broken_label_map_is_named(spoil, tmp_path):
    write_beside(tmp_path / "street", 6)
    spoil(tmp_path / "street" / "02_label.png")
    refused(r"1 file does not decode: 02.png \(its label map 02_label.png: ", tmp_path / "street", tmp_path / "out")
    dataset = miniatures.built(plan(tmp_path / "street", allow_missing=1), tmp_path / "out")
    assert "02.png" not in miniatures.pixels(dataset, "train") | miniatures.pixels(dataset, "test")


@pytest.mark.parametrize("num_labels", [0, 257, -1])
def test_class_counts_that_a_byte_cannot_hold(num_labels, tmp_path):
    write_beside(tmp_path / "street", 2)
    refused(r"--num_labels must be from 1 to 256", tmp_path / "street", tmp_path / "out", num_labels=num_labels)


@pytest.mark.parametrize("pairs", [((1, 7),), ((1, 2), (2, 3)), ((1, 1),)])
def test_flip_pairs_that_cannot_be(pairs, tmp_path):
    write_beside(tmp_path / "street", 2)
    refused(r"--flip_pairs must name each label once", tmp_path / "street", tmp_path / "out", flip_pairs=pairs)


def test_other_flip_pairs_are_another_dataset(tmp_path):
    write_beside(tmp_path / "street", 2)
    miniatures.built(plan(tmp_path / "street", flip_pairs=((1, 2),)), tmp_path / "out")
    with pytest.raises(UserError, match="other photographs or settings"):
        miniatures.built(plan(tmp_path / "street", flip_pairs=((3, 4),)), tmp_path / "out")


@pytest.mark.skipif(not os.environ.get("CAMVID"), reason="CAMVID names no folder of CamVid with label maps")
def test_camvid_is_built_as_the_folder_source_reads_it(tmp_path):
    source = os.environ["CAMVID"]
    dataset = miniatures.built(plan(source, num_labels=12, name="camvid"), tmp_path)
    assert {part: len(records) for part, records in dataset.splits.items()} == {
        "train": 367,
        "validation": 101,
        "test": 233,
    }
    assert verify(dataset.folder) == {"train": 367, "validation": 101, "test": 233}
    folder = open_data({"name": "labelled_folder", "path": source, "size": 64, "num_labels": 12}).train
    built = open_data({"name": "prepared", "dataset": dataset.name, "size": 64, "data_dir": str(tmp_path)}).train
    for i in range(0, 367, 40):
        for key in ("image", "labels"):
            np.testing.assert_array_equal(built[i][key], folder[i][key])
    label = np.asarray(Image.open(next(Path(source).rglob("*_label.png"))))
    assert label.max() < 12
