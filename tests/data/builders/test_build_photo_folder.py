"""Any photographs: the forms of a source, splits by list and by hash, names, crops."""

import random

import cv2
import miniatures
import numpy as np
import pytest

from scan_jax.data.builders.photo_folder import PhotoFolder

NAMES = ("a.png", "b.jpg", "deep/c.JPEG", "deep/d.webp", "deep/er/e.png")


def plan(source, **settings):
    return PhotoFolder(source=str(source), **({"size": 64} | settings)).plan()


def refused(match, source, **settings):
    with miniatures.refuses(match):
        plan(source, **settings).check()


@pytest.fixture
def tree(tmp_path):
    return miniatures.write_photographs(tmp_path / "faces", NAMES, 64)


def test_a_tree_a_zip_and_a_list_give_the_same_dataset(tmp_path):
    tree = miniatures.write_photographs(tmp_path / "faces", NAMES, 80, 64)
    miniatures.write(tree / ".hidden" / "x.png", miniatures.photograph(9))
    (tree / "notes.txt").write_text("no photograph")
    archive = miniatures.write_zip(tmp_path / "faces.zip", tree)
    (tree / "faces.txt").write_text("\ufeff# some\n" + "\n".join(reversed(NAMES)) + "\n\n", encoding="utf-8")
    expected = miniatures.built(plan(tree), tmp_path / "out tree")
    assert expected.name == "photo_folder/faces-64"
    assert [len(records) for records in expected.splits.values()] == [4, 1]
    image = miniatures.by_name(expected)["a.png"]["image"]
    np.testing.assert_array_equal(image, miniatures.photograph(0, 80, 64)[8:72])
    for source in (archive, tree / "faces.txt"):
        miniatures.built(plan(source), tmp_path / f"out {source.name}")
        miniatures.assert_same_files(tmp_path / f"out {source.name}", tmp_path / "out tree")


def test_all_of_a_photograph_or_its_centre(tmp_path):
    tree = miniatures.write_photographs(tmp_path / "wide", ["0.png", "1.png"], 70, 131)
    image = miniatures.photograph(0, 70, 131)
    for crop, expected in (("centre", image[:, 30:100]), ("stretch", image)):
        dataset = miniatures.built(plan(tree, crop=crop, name=crop), tmp_path / "out")
        area = cv2.resize(np.ascontiguousarray(expected), (64, 64), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(miniatures.by_name(dataset)["0.png"]["image"], area)


def test_a_list_says_who_is_where(tree, tmp_path):
    parts = {"train": ["deep/c", "a.png"], "validation": ["b"], "test": ["deep/er/e.png"]}
    made = plan(tree, split=miniatures.write_split(tmp_path / "mine.txt", **parts))
    assert made.split.name == "mine"
    files = {"train": ["deep/c.JPEG", "a.png"], "validation": ["b.jpg"], "test": ["deep/er/e.png"]}
    assert miniatures.members(made) == files


def test_folders_are_the_split_unless_a_list_says_otherwise(tmp_path):
    names = [f"{part}/{i}.png" for part in ("test", "train", "valid") for i in range(2)]
    tree = miniatures.write_photographs(tmp_path / "faces", names, 64)
    parts = {"train": names[2:4], "validation": names[4:], "test": names[:2]}
    for source in (tree, miniatures.write_zip(tmp_path / "faces.zip", tree)):
        made = plan(source)
        assert (made.split.name, miniatures.members(made)) == ("by_folder", parts)
    split = miniatures.write_split(tmp_path / "mine.txt", train=names[:2], test=names[2:4])
    assert miniatures.members(plan(tree, split=split)) == {"train": names[:2], "test": names[2:4]}


def test_a_list_of_other_photographs_or_of_broken_ones(tree, tmp_path):
    split = miniatures.write_split(tmp_path / "some.txt", train=["a", "zoe"], test=["b"])
    refused(r"1 of 3 photographs are missing: zoe; .*--allow_missing=1", tree, split=split)
    made = plan(tree, split=split, allow_missing=1)
    assert miniatures.members(made) == {"train": ["a.png"], "test": ["b.jpg"]}
    split = miniatures.write_split(tmp_path / "none.txt", train=["ann"], test=["bob"])
    refused(r"the split none names none of 5 photographs: ann, bob", tree, split=split)
    # All may be missing, but not all of a split.
    split = miniatures.write_split(tmp_path / "mine.txt", train=["a", "b"], test=["deep/c", "deep/d"])
    for name in ("c.JPEG", "d.webp"):
        miniatures.empty(tree / "deep" / name)
    with miniatures.refuses(r"no photographs for test", tmp_path / "out"):
        miniatures.built(plan(tree, split=split, allow_missing=2), tmp_path / "out")


def test_the_hash_split_stays_when_files_are_added(tmp_path):
    """As many as were added may change places, and only by being pushed out."""
    names = [f"{random.Random(i).randrange(10**9)}.png" for i in range(183)]

    def members(some, held_out=15):
        for name in some:
            (tmp_path / name).write_bytes(b"not looked at")
        return miniatures.members(plan(tmp_path, name="faces", held_out=held_out))

    before = members(names[:180])
    assert [len(some) for some in before.values()] == [165, 15]
    assert members([]) == before
    after = members(names[180:])
    assert len(after["test"]) == 15
    assert len(set(before["test"]) - set(after["test"])) <= 3
    assert set(after["test"]) - set(before["test"]) <= set(names[180:])
    assert len(members([], 500)["test"]) == 18  # a tenth at most


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        *(({"held_out": count}, r"nothing to measure on|--held_out must be positive") for count in (0, -1)),
        *(({"name": name}, r"--name") for name in ("../up", "a/b", ".hidden", "a\\b")),
    ],
)
def test_settings_that_cannot_be(settings, match, tree):
    refused(match, tree, **settings)


def test_no_photographs(tmp_path):
    (tmp_path / "empty").mkdir()
    refused(r"--source: no images .*empty", tmp_path / "empty")
    (tmp_path / "empty" / "x.txt").write_text("")
    refused(r"--source: no images .*; there: 1 \.txt", tmp_path / "empty")


def test_a_name_with_a_space_and_umlauts(tmp_path):
    tree = miniatures.write_photographs(tmp_path / "Müllers faces (2)", ["grün & blau.png", "ж.png"], 64)
    dataset = miniatures.built(plan(tree), tmp_path / "out")
    assert dataset.name == "photo_folder/Müllers faces (2)-64"
    assert sorted(miniatures.by_name(dataset)) == ["grün & blau.png", "ж.png"]
