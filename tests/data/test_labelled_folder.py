"""Folders of photographs with label maps: layouts, splits, crops, and what is refused."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scan_jax.data import verification
from scan_jax.data.agreement import agree_on_labels
from scan_jax.data.api import open_data
from scan_jax.data.label_pairs import find_pairs
from scan_jax.errors import UserError

HEIGHT, WIDTH, CLASSES = 12, 16, 7


def scene(seed):
    """A photograph whose colours tell its classes: class k is painted (30 k, 10 k, 255 - 30 k)."""
    labels = np.random.default_rng(seed).integers(0, CLASSES, (HEIGHT // 4, WIDTH // 4), np.uint8)
    labels = np.repeat(np.repeat(labels, 4, 0), 4, 1)  # [H,W]
    return paint(labels), labels


def paint(labels):
    return np.stack([30 * labels, 10 * labels, 255 - 30 * labels], -1).astype(np.uint8)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write_beside(folder, count, first=0):
    for i in range(first, first + count):
        image, labels = scene(i)
        write(folder / f"{i:04d}.png", image)
        write(folder / f"{i:04d}_label.png", labels)
    return folder


def write_apart(folder, count):
    for i in range(count):
        image, labels = scene(i)
        write(folder / "images" / f"{i:04d}.png", image)
        write(folder / "labels" / f"{i:04d}.png", labels)
    return folder


def open_folder(path, **settings):
    settings = {"size": 8, "num_labels": CLASSES} | settings
    return open_data({"name": "labelled_folder", "path": str(path), **settings})


def names(source):
    return [pair.name for pair in source._pairs]


def refused(path, match, **settings):
    with pytest.raises(UserError, match=match) as caught:
        open_folder(path, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", [write_beside, write_apart])
def test_both_layouts_are_found(layout, tmp_path):
    source = open_folder(layout(tmp_path, 20)).train
    assert (source.num_labels, source.flip_pairs) == (CLASSES, ())
    photo = source[3]
    assert (photo["image"].shape, photo["image"].dtype) == ((8, 8, 3), np.uint8)
    assert (photo["labels"].shape, photo["labels"].dtype) == ((8, 8), np.uint8)
    assert source[3]["labels"] is photo["labels"]
    with pytest.raises(ValueError, match="read-only"):
        photo["labels"][:] = 0


def test_layouts_at_any_depth_in_one_folder(tmp_path):
    write_beside(tmp_path / "a" / "b", 2)
    write_apart(tmp_path / "c", 2)
    image, labels = scene(0)
    write(tmp_path / "c" / "images" / "deep" / "x.jpg", image)
    write(tmp_path / "c" / "labels" / "deep" / "x.png", labels)
    found = {pair.name: pair.labels.name for pair in find_pairs(tmp_path)}
    assert found == {
        "a/b/0000.png": "a/b/0000_label.png",
        "a/b/0001.png": "a/b/0001_label.png",
        "c/images/0000.png": "c/labels/0000.png",
        "c/images/0001.png": "c/labels/0001.png",
        "c/images/deep/x.jpg": "c/labels/deep/x.png",
    }


@pytest.mark.parametrize("crop", ["centre", "stretch"])
def test_image_and_labels_are_cut_alike(crop, tmp_path):
    """At an unscaled crop every pixel still wears its class's colour; stretched, most do: edges are averaged."""
    source = open_folder(write_beside(tmp_path, 12), size=HEIGHT, crop=crop).train
    for i in range(len(source)):
        image, labels = source[i]["image"], source[i]["labels"]
        same = (np.abs(paint(labels).astype(int) - image) < 2).all(-1)
        assert same.all() if crop == "centre" else same.mean() > 0.6
        whole = scene(int(names(source)[i][:4]))[1]
        if crop == "centre":
            np.testing.assert_array_equal(labels, whole[:, 2:-2])


def test_labels_are_never_averaged_and_images_are(tmp_path):
    labels = np.indices((16, 16)).sum(0).astype(np.uint8) % 2 * 6  # a chequerboard of classes 0 and 6
    for i in range(2):
        write(tmp_path / f"{i}.png", paint(labels))
        write(tmp_path / f"{i}_label.png", labels)
    photo = open_folder(tmp_path, size=4).train[0]
    assert set(np.unique(photo["labels"])) <= {0, 6}
    assert (np.abs(photo["image"].astype(int) - (90, 30, 165)) <= 1).all()


def test_a_palette_gives_its_indices(tmp_path):
    write_beside(tmp_path, 4)
    _, labels = scene(1)
    image = Image.fromarray(labels)
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    image.save(tmp_path / "0001_label.png")
    with Image.open(tmp_path / "0001_label.png") as stored:
        assert stored.mode == "P"
    source = open_folder(tmp_path, size=HEIGHT, held_out=1).train
    np.testing.assert_array_equal(source[names(source).index("0001.png")]["labels"], labels[:, 2:-2])


def test_an_upright_label_map_belongs_to_a_photograph_that_exif_turns(tmp_path):
    write_beside(tmp_path, 3)
    image, _ = scene(1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(image, 1))).save(tmp_path / "0001.png", exif=exif)
    source = open_folder(tmp_path, size=HEIGHT, held_out=1)
    found = {name: split[i] for split in (source.train, source.held_out) for i, name in enumerate(names(split))}
    np.testing.assert_array_equal(paint(found["0001.png"]["labels"]), found["0001.png"]["image"])


def test_a_tenth_is_held_out(tmp_path):
    splits = open_folder(write_beside(tmp_path, 30))
    assert (len(splits.train), len(splits.held_out)) == (27, 3)
    assert not set(names(splits.train)) & set(names(splits.held_out))


@pytest.mark.parametrize(
    ("folders", "held_out"),
    [
        (("train", "val", "test"), "val"),
        (("train", "test"), "test"),
        (("Training", "Validation"), "Validation"),
    ],
)
def test_split_folders_are_the_splits(folders, held_out, tmp_path):
    for number, folder in enumerate(folders):
        write_beside(tmp_path / folder, 5, 10 * number)
    splits = open_folder(tmp_path)
    assert {name.split("/")[0] for name in names(splits.train)} == {folders[0]}
    assert {name.split("/")[0] for name in names(splits.held_out)} == {held_out}
    assert (len(splits.train), len(splits.held_out)) == (5, 5)
    assert names(open_folder(tmp_path, held_out=2).held_out) == [names(splits.held_out)[i] for i in (0, 2)]


def test_split_folders_within_images_and_around_them(tmp_path):
    for i, split in enumerate(("train", "val")):
        image, labels = scene(i)
        write(tmp_path / "in" / "images" / split / "x.png", image)
        write(tmp_path / "in" / "labels" / split / "x.png", labels)
        write_apart(tmp_path / "around" / split, 3)
    assert names(open_folder(tmp_path / "in").held_out) == ["images/val/x.png"]
    splits = open_folder(tmp_path / "around")
    assert names(splits.train) == [f"train/images/{i:04d}.png" for i in range(3)]
    assert names(splits.held_out) == [f"val/images/{i:04d}.png" for i in range(3)]


def test_a_folder_that_is_split_in_part_is_one_set(tmp_path):
    for folder in (tmp_path, tmp_path / "train", tmp_path / "val"):
        write_beside(folder, 10)
    splits = open_folder(tmp_path)
    assert (len(splits.train), len(splits.held_out)) == (27, 3)


def test_another_folder_is_held_out(tmp_path):
    for number, folder in enumerate(("train", "val", "test")):
        write_beside(tmp_path / folder, 5, 10 * number)
    splits = open_folder(tmp_path, held_out_path=str(tmp_path / "test"), held_out=0)
    assert {name.split("/")[0] for name in names(splits.train)} == {"train"}
    assert names(splits.held_out) == [f"{i:04d}.png" for i in range(20, 25)]
    apart = open_folder(tmp_path / "train", held_out_path=str(tmp_path / "val"))
    assert (len(apart.train), len(apart.held_out)) == (5, 5)
    refused(tmp_path / "train", "held out as well", held_out_path=str(tmp_path / "train"))


def test_flip_pairs_come_from_the_settings(tmp_path):
    write_beside(tmp_path, 4)
    assert open_folder(tmp_path, flip_pairs=((4, 5),)).train.flip_pairs == ((4, 5),)
    assert open_folder(tmp_path, flip_pairs=[[4, 5], [1, 2]]).held_out.flip_pairs == ((4, 5), (1, 2))
    for wrong in (((4, 7),), ((4, 5), (5, 6)), ((-1, 2),)):
        refused(tmp_path, r"config\.data\.flip_pairs", flip_pairs=wrong)


def test_the_digest_follows_labels_and_settings(tmp_path):
    write_beside(tmp_path / "a", 20), write_beside(tmp_path / "b", 20)
    digest = open_folder(tmp_path / "a").train.digest
    assert digest == open_folder(tmp_path / "b").train.digest
    for change in ({"size": 9}, {"crop": "stretch"}, {"num_labels": 9}):
        assert digest != open_folder(tmp_path / "b", **change).train.digest
    noise = np.random.default_rng(0).integers(0, CLASSES, (HEIGHT, WIDTH), np.uint8)
    for i in range(20):
        write(tmp_path / "b" / f"{i:04d}_label.png", noise)
    assert digest != open_folder(tmp_path / "b").train.digest


# Bad input


def test_a_label_map_of_another_size_is_refused_and_resized_on_request(tmp_path):
    write_beside(tmp_path, 4)
    _, labels = scene(2)
    write(tmp_path / "0002_label.png", labels[::2, ::2])
    refused(tmp_path, r"0002_label\.png is 8x6, its photograph 16x12.*--config\.data\.label_size=any")
    splits = open_folder(tmp_path, label_size="any", size=HEIGHT)
    found = {name: split[i] for split in (splits.train, splits.held_out) for i, name in enumerate(names(split))}
    np.testing.assert_array_equal(found["0002.png"]["labels"], labels[:, 2:-2])
    write(tmp_path / "0002_label.png", labels[:, :8])
    refused(tmp_path, r"0002_label\.png is 8x12.*proportions differ", label_size="any")
    refused(tmp_path, r"config\.data\.label_size must be one of", label_size="all")


def test_a_label_above_the_class_count_names_value_file_and_range(tmp_path):
    write_beside(tmp_path, 4)
    _, labels = scene(2)
    labels[3, 4] = 9
    write(tmp_path / "0002_label.png", labels)
    refused(tmp_path, r"0002_label\.png has the label 9, but 7 classes are numbered 0 to 6")
    assert len(open_folder(tmp_path, num_labels=10).train) == 3


def test_a_label_map_in_colours_says_how_to_convert(tmp_path):
    write_beside(tmp_path, 4)
    image, labels = scene(2)
    write(tmp_path / "0002_label.png", image)
    refused(tmp_path, r"0002_label\.png is a colour image \(RGB\).*class of each colour.*single-channel PNG")
    Image.fromarray(labels).convert("RGB").save(tmp_path / "0002_label.png")
    refused(tmp_path, r'0002_label\.png is a colour image.*convert\("L"\)')


def test_a_photograph_without_a_label_map_is_named(tmp_path):
    write_beside(tmp_path, 200)
    (tmp_path / "0007_label.png").unlink()
    refused(tmp_path, r"1 of 200 photographs .* have no label map: 0007\.png; remove them, or put NAME_label\.png")
    write_apart(tmp_path / "apart", 3)
    (tmp_path / "apart" / "labels" / "0001.png").unlink()
    refused(tmp_path / "apart", r"1 of 3 .*images/0001\.png")


def test_photographs_without_any_label_map_point_to_the_layouts(tmp_path):
    write(tmp_path / "a.jpg", scene(0)[0])
    refused(tmp_path, r"no photograph with a label map .*NAME_label\.png beside.*labels/NAME\.png.*photo_folder")
    refused(tmp_path / "nowhere", r"config\.data\.path: no folder .*nowhere")
    write(tmp_path / "maps" / "a_label.png", scene(0)[1])
    refused(tmp_path / "maps", r"0 photographs, 1 label maps")


def test_label_maps_without_a_photograph_are_counted(tmp_path, caplog):
    write_beside(tmp_path, 4)
    write(tmp_path / "left_label.png", scene(0)[1])
    assert len(open_folder(tmp_path).train) == 3
    assert "1 label maps" in caplog.text


@pytest.mark.parametrize("name", ["0007.png", "0007_label.png"])
def test_one_broken_file_in_a_hundred_is_skipped_and_named(name, tmp_path, caplog):
    write_beside(tmp_path, 100)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:50])
    with caplog.at_level(logging.WARNING):
        splits = open_folder(tmp_path)
    assert len(splits.train) + len(splits.held_out) == 99
    assert "0007.png" in caplog.text and name in caplog.text
    for i in range(8, 10):
        (tmp_path / f"{i:04d}_label.png").write_text("")
    refused(tmp_path, r"3 of 100 files .* do not decode.*0008\.png \(its label map 0008_label\.png")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_labels": 0}, r"num_labels must be from 1 to 256, not 0"),
        ({"num_labels": 257}, r"num_labels must be from 1 to 256"),
        ({"size": 0}, "size must be positive"),
        ({"crop": "center"}, "did you mean 'centre'"),
        ({"held_out": 0}, "nothing to measure on"),
    ],
)
def test_settings_that_make_no_sense(settings, message, tmp_path):
    refused(write_beside(tmp_path, 4), message, **settings)


def test_the_number_of_classes_is_required(tmp_path):
    with pytest.raises(UserError, match=r"config\.data\.num_labels is missing"):
        open_data({"name": "labelled_folder", "path": str(tmp_path), "size": 8})


def test_large_folders_are_verified_once_for_each_rule(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(verification, "MANY", 10)
    folder = write_beside(tmp_path / "photos", 12)
    open_folder(folder)

    def count(**settings):
        """How many files the next start verifies."""
        seen, decode_all = [], verification._decode_all
        with monkeypatch.context() as patch:
            patch.setattr(
                verification, "_decode_all", lambda files, verify: seen.extend(files) or decode_all(files, verify)
            )
            open_folder(folder, **settings)
        return len(seen)

    assert count() == 0
    assert count(num_labels=8) == 12  # another class count may refuse what this one took
    _, labels = scene(50)
    write(folder / "0003_label.png", labels)
    os.utime(folder / "0003_label.png", ns=(1, 1))
    assert count() == 12
    assert count() == 0


# Agreement with the method


def test_a_method_without_labels_sees_none_of_the_same_photographs(tmp_path):
    splits = open_folder(write_beside(tmp_path, 20), flip_pairs=((4, 5),))
    plain = agree_on_labels(splits, 0)
    assert (plain.train.num_labels, plain.train.flip_pairs) == (0, ())
    assert (len(plain.train), plain.train.digest, plain.train.name) == (
        len(splits.train),
        splits.train.digest,
        splits.train.name,
    )
    assert set(plain.held_out[0]) == {"image"}
    np.testing.assert_array_equal(plain.train[2]["image"], splits.train[2]["image"])
    assert agree_on_labels(splits, CLASSES) is splits
    assert agree_on_labels(plain, 0).train is plain.train


def test_a_method_that_wants_other_labels_is_told(tmp_path):
    splits = open_folder(write_beside(tmp_path, 20))
    with pytest.raises(UserError, match=r"config\.method\.num_labels is 19, but .* has 7 classes; make them equal"):
        agree_on_labels(splits, 19)
    plain = open_data({"name": "photo_folder", "path": str(tmp_path), "size": 8})
    with pytest.raises(UserError, match=r"needs labels of 19 classes, but .* has none.*labelled_folder"):
        agree_on_labels(plain, 19)
    portraits = open_data({"name": "synthetic_portraits", "size": 16, "count": 2, "held_out": 1})
    assert agree_on_labels(portraits, 19).train.num_labels == 19


@pytest.mark.skipif(not os.environ.get("CAMVID"), reason="CAMVID names no folder of CamVid with label maps")
def test_camvid_opens_as_it_is():
    folder = Path(os.environ["CAMVID"])
    splits = open_folder(folder, size=64, num_labels=12)
    assert (len(splits.train), len(splits.held_out)) == (367, 101)
    test = open_folder(folder, size=64, num_labels=12, held_out_path=str(folder / "test"), held_out=0)
    assert (len(test.train), len(test.held_out)) == (367, 233)
    seen = set().union(*(np.unique(splits.held_out[i]["labels"]) for i in range(0, 101, 10)))
    assert len(seen) > 8 and max(seen) < 12
    refused(folder, r"_label\.png has the label 11, but 11 classes", num_labels=11)
