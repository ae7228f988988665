"""Folders of photographs with label maps: layouts, splits, crops, and what is refused."""

import logging
import os

import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.data import photo_folder
from scan_jax.data.api import agree_on_labels, open_data
from scan_jax.data.labelled_folder import pair_up
from scan_jax.data.photo_folder import list_photographs

HEIGHT, WIDTH, CLASSES = 12, 16, 7


def scene(seed):
    """A photograph whose colours tell its classes: class k is painted (30 k, 10 k, 255 - 30 k)."""
    labels = np.random.default_rng(seed).integers(0, CLASSES, (HEIGHT // 4, WIDTH // 4), np.uint8)
    labels = np.repeat(np.repeat(labels, 4, 0), 4, 1)  # [H,W]
    return paint(labels), labels


def paint(labels):
    return np.stack([30 * labels, 10 * labels, 255 - 30 * labels], -1).astype(np.uint8)


def write_beside(folder, count, first=0, images="", labels="", suffix="_label"):
    for i in range(first, first + count):
        image, label_map = scene(i)
        miniatures.write(folder / images / f"{i:04d}.png", image)
        miniatures.write(folder / labels / f"{i:04d}{suffix}.png", label_map)
    return folder


def write_apart(folder, count):
    return write_beside(folder, count, 0, "images", "labels", "")


def open_folder(path, **settings):
    settings = {"size": 8, "num_labels": CLASSES} | settings
    return open_data({"name": "labelled_folder", "path": str(path), **settings})


def names(source):
    return [source.title(i) for i in range(len(source))]


def refused(path, match, **settings):
    with miniatures.refuses(match):
        open_folder(path, **settings)


def photos_by_name(splits):
    return {name: split[i] for split in (splits.train, splits.held_out) for i, name in enumerate(names(split))}


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
    for folder, suffix in (("images", "jpg"), ("labels", "png")):
        miniatures.write(tmp_path / "c" / folder / "deep" / f"x.{suffix}", scene(0)[1])
    beside = {f"a/b/000{i}.png": f"a/b/000{i}_label.png" for i in range(2)}
    apart = {f"c/images/000{i}.png": f"c/labels/000{i}.png" for i in range(2)}
    found = {pair.name: pair.labels.name for pair in pair_up(list_photographs(tmp_path), "")}
    assert found == {**beside, **apart, "c/images/deep/x.jpg": "c/labels/deep/x.png"}


@pytest.mark.parametrize("crop", ["centre", "stretch"])
def test_image_and_labels_are_cut_alike(crop, tmp_path):
    """At an unscaled crop every pixel still wears its class's colour; stretched, most do: edges are averaged."""
    splits = open_folder(write_beside(tmp_path / "street", 12), size=HEIGHT, crop=crop)
    for name, photo in photos_by_name(splits).items():
        same = (np.abs(paint(photo["labels"]).astype(int) - photo["image"]) < 2).all(-1)
        assert same.all() if crop == "centre" else same.mean() > 0.6
        if crop == "centre":
            np.testing.assert_array_equal(photo["labels"], scene(int(name[:4]))[1][:, 2:-2])
    labels = np.indices((16, 16)).sum(0).astype(np.uint8) % 2 * 6  # a chequerboard of classes 0 and 6
    for i in range(2):
        miniatures.write(tmp_path / "squares" / f"{i}.png", paint(labels))
        miniatures.write(tmp_path / "squares" / f"{i}_label.png", labels)
    photo = open_folder(tmp_path / "squares", size=4, crop=crop).train[0]
    assert set(np.unique(photo["labels"])) <= {0, 6}  # labels are never averaged, and images are
    assert (np.abs(photo["image"].astype(int) - (90, 30, 165)) <= 1).all()


def test_palettes_and_photographs_that_exif_turns(tmp_path):
    """A palette gives its indices; an upright label map belongs to a photograph that is turned upright."""
    write_beside(tmp_path, 4)
    labels = Image.fromarray(scene(1)[1])
    labels.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    labels.save(tmp_path / "0001_label.png")
    with Image.open(tmp_path / "0001_label.png") as stored:
        assert stored.mode == "P"
    exif = Image.Exif()
    exif[0x0112] = 6
    miniatures.write(tmp_path / "0002.png", np.ascontiguousarray(np.rot90(scene(2)[0], 1)), exif=exif)
    photos = photos_by_name(open_folder(tmp_path, size=HEIGHT, held_out=1))
    for number in (1, 2):
        labels = scene(number)[1][:, 2:-2]
        np.testing.assert_array_equal(photos[f"{number:04d}.png"]["labels"], labels)
        np.testing.assert_array_equal(photos[f"{number:04d}.png"]["image"], paint(labels))


def test_a_tenth_is_held_out_unless_all_is_in_folders_by_split(tmp_path):
    for folder in (tmp_path, tmp_path / "train", tmp_path / "val"):
        write_beside(folder, 10)
    splits = open_folder(tmp_path)
    assert (len(splits.train), len(splits.held_out)) == (27, 3)
    assert not set(names(splits.train)) & set(names(splits.held_out))


@pytest.mark.parametrize(
    ("folders", "held_out"),
    [(("train", "val", "test"), "val"), (("train", "test"), "test"), (("Training", "Validation"), "Validation")],
)
def test_split_folders_are_the_splits(folders, held_out, tmp_path):
    for number, folder in enumerate(folders):
        write_beside(tmp_path / folder, 5, 10 * number)
    splits = open_folder(tmp_path)
    first = 10 * folders.index(held_out)
    assert names(splits.train) == [f"{folders[0]}/{i:04d}.png" for i in range(5)]
    assert names(splits.held_out) == [f"{held_out}/{i:04d}.png" for i in range(first, first + 5)]
    assert names(open_folder(tmp_path, held_out=2).held_out) == [names(splits.held_out)[i] for i in (0, 2)]
    other = open_folder(tmp_path, held_out_path=str(tmp_path / folders[-1]), held_out=0)
    assert names(other.train) == names(splits.train)
    assert names(other.held_out) == [f"{10 * (len(folders) - 1) + i:04d}.png" for i in range(5)]
    apart = open_folder(tmp_path / folders[0], held_out_path=str(tmp_path / folders[-1]))
    assert (len(apart.train), len(apart.held_out)) == (5, 5)
    refused(tmp_path / folders[0], "held out as well", held_out_path=str(tmp_path / folders[0]))


def test_split_folders_within_images_and_around_them(tmp_path):
    for i, split in enumerate(("train", "val")):
        write_beside(tmp_path / "in", 1, i, f"images/{split}", f"labels/{split}", "")
        write_apart(tmp_path / "around" / split, 3)
    assert names(open_folder(tmp_path / "in").held_out) == ["images/val/0001.png"]
    splits = open_folder(tmp_path / "around")
    assert names(splits.train) == [f"train/images/{i:04d}.png" for i in range(3)]
    assert names(splits.held_out) == [f"val/images/{i:04d}.png" for i in range(3)]


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
        miniatures.write(tmp_path / "b" / f"{i:04d}_label.png", noise)
    assert digest != open_folder(tmp_path / "b").train.digest


def test_a_label_map_of_another_size_is_refused_and_resized_on_request(tmp_path):
    write_beside(tmp_path, 4)
    _, labels = scene(2)
    miniatures.write(tmp_path / "0002_label.png", labels[::2, ::2])
    refused(tmp_path, r"0002_label\.png is 8x6, its photograph 16x12.*--config\.data\.label_size=any")
    photo = photos_by_name(open_folder(tmp_path, label_size="any", size=HEIGHT))["0002.png"]
    np.testing.assert_array_equal(photo["labels"], labels[:, 2:-2])
    miniatures.write(tmp_path / "0002_label.png", labels[:, :8])
    refused(tmp_path, r"0002_label\.png is 8x12.*proportions differ", label_size="any")


def test_label_maps_that_cannot_be_say_what_to_do(tmp_path):
    write_beside(tmp_path, 4)
    image, labels = scene(2)
    miniatures.write(tmp_path / "0002_label.png", image)
    refused(tmp_path, r"0002_label\.png is a colour image \(RGB\).*class of each colour.*single-channel PNG")
    miniatures.write(tmp_path / "0002_label.png", np.repeat(labels[..., None], 3, -1))
    refused(tmp_path, r'0002_label\.png is a colour image.*convert\("L"\)')
    labels[3, 4] = 9
    miniatures.write(tmp_path / "0002_label.png", labels)
    refused(tmp_path, r"0002_label\.png has the label 9, but 7 classes are numbered 0 to 6")
    assert len(open_folder(tmp_path, num_labels=10).train) == 3


def test_those_without_the_other_half_are_named_or_counted(tmp_path, caplog):
    write_beside(tmp_path, 4)
    miniatures.write(tmp_path / "left_label.png", scene(0)[1])
    assert len(open_folder(tmp_path).train) == 3
    assert "1 label map " in caplog.text
    (tmp_path / "0002_label.png").unlink()
    refused(tmp_path, r"1 of 4 photographs .* has no label map: 0002\.png; remove them, or put NAME_label\.png")
    write_apart(tmp_path / "apart", 3)
    (tmp_path / "apart" / "labels" / "0001.png").unlink()
    refused(tmp_path / "apart", r"1 of 3 .*images/0001\.png")
    miniatures.write(tmp_path / "x" / "a.jpg", scene(0)[0])
    refused(tmp_path / "x", r"no photograph with a label map .*NAME_label\.png beside.*labels/NAME\.png.*photo_folder")
    refused(tmp_path / "nowhere", r"config\.data\.path: nothing at .*nowhere")
    miniatures.write(tmp_path / "maps" / "a_label.png", scene(0)[1])
    refused(tmp_path / "maps", r"0 photographs, 1 label map\)")


@pytest.mark.parametrize("name", ["0007.png", "0007_label.png"])
def test_one_broken_file_in_a_hundred_is_skipped_and_named(name, tmp_path, caplog):
    write_beside(tmp_path, 100)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:50])
    with caplog.at_level(logging.WARNING):
        splits = open_folder(tmp_path)
    assert len(splits.train) + len(splits.held_out) == 99
    assert "0007.png" in caplog.text and name in caplog.text
    for i in range(8, 10):
        miniatures.empty(tmp_path / f"{i:04d}_label.png")
    refused(tmp_path, r"3 of 100 files .* do not decode.*0008\.png \(its label map 0008_label\.png")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_labels": 0}, r"num_labels must be from 1 to 256, not 0"),
        ({"num_labels": 257}, r"num_labels must be from 1 to 256"),
        ({"crop": "center"}, "did you mean 'centre'"),
        ({"label_size": "all"}, r"config\.data\.label_size must be one of"),
        ({"held_out": 0}, "nothing to measure on"),
    ],
)
def test_settings_that_make_no_sense(settings, message, tmp_path):
    refused(write_beside(tmp_path, 4), message, **settings)
    with miniatures.refuses(r"config\.data\.num_labels is missing"):
        open_data({"name": "labelled_folder", "path": str(tmp_path), "size": 8})


def test_large_folders_are_verified_once_for_each_rule(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(photo_folder, "MANY", 10)
    seen, decode_all = [], photo_folder._decode_all
    monkeypatch.setattr(photo_folder, "_decode_all", lambda files, how: seen.extend(files) or decode_all(files, how))
    folder = write_beside(tmp_path / "photos", 12)

    def count(**settings):
        """How many files the next start verifies."""
        seen.clear()
        open_folder(folder, **settings)
        return len(seen)

    assert (count(), count()) == (12, 0)
    assert count(num_labels=8) == 12  # another class count may refuse what this one took
    miniatures.write(folder / "0003_label.png", scene(50)[1])
    os.utime(folder / "0003_label.png", ns=(1, 1))
    assert (count(), count()) == (12, 0)


def test_a_method_without_labels_sees_none_and_one_that_wants_others_is_told(tmp_path):
    splits = open_folder(write_beside(tmp_path, 20), flip_pairs=((4, 5),))
    plain = agree_on_labels(splits, 0)
    assert (plain.train.num_labels, plain.train.flip_pairs) == (0, ())
    assert len(plain.train) == len(splits.train)
    assert (plain.train.digest, plain.train.name) == (splits.train.digest, splits.train.name)
    assert set(plain.held_out[0]) == {"image"}
    np.testing.assert_array_equal(plain.train[2]["image"], splits.train[2]["image"])
    assert agree_on_labels(splits, CLASSES) is splits
    assert agree_on_labels(plain, 0).train is plain.train
    with pytest.raises(UserError, match=r"config\.method\.num_labels is 19, but .* has 7 classes; make them equal"):
        agree_on_labels(splits, 19)
    none = open_data({"name": "photo_folder", "path": str(tmp_path), "size": 8})
    with pytest.raises(UserError, match=r"needs labels of 19 classes, but .* has none.*labelled_folder"):
        agree_on_labels(none, 19)
    portraits = open_data({"name": "synthetic_portraits", "size": 16, "count": 2, "held_out": 1})
    assert agree_on_labels(portraits, 19).train.num_labels == 19
