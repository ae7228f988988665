"""Paris StreetView: the folders it comes in, what is no photograph, and how many there must be."""

import logging
import shutil

import cv2
import miniatures
import numpy as np
import pytest

from scan_jax.data.builders import paris_street_view
from scan_jax.data.builders.paris_street_view import Settings
from scan_jax.errors import UserError

HEIGHT, WIDTH = 68, 118  # in the proportions of 936x537


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(paris_street_view, "EXPECTED", {"train": 4, "test": 2})


def write_paris(folder, train="paris_train_original", test="paris_eval/paris_eval_gt", suffix=".JPG"):
    """The folders as the request sends them: names of places, and the photographs to measure on with a hole, too."""
    for i in range(4):
        miniatures.write(folder / train / f"{i}_48.85{i},2.35_90_-004{suffix}", miniatures.photograph(i, HEIGHT, WIDTH))
    for i in range(2):
        whole = miniatures.photograph(10 + i, HEIGHT, WIDTH)
        miniatures.write(folder / test / f"{i:03d}_im.png", whole)
        miniatures.write(folder / "paris_eval" / "paris_eval_corrupted" / f"{i:03d}_im.png", whole // 2)
    return folder


def build(source, data_dir, **settings):
    plan = paris_street_view.plan(Settings(source=str(source), **({"size": 64} | settings)))
    return miniatures.built(plan, data_dir)


def refused(source, data_dir, match):
    with pytest.raises(UserError, match=match) as caught:
        build(source, data_dir)
    assert "\n" not in str(caught.value)
    assert miniatures.files_below(data_dir) == []


def test_the_folder_as_received(tmp_path):
    dataset = build(write_paris(tmp_path / "paris"), tmp_path / "out")
    assert (dataset.name, dataset.split) == ("paris_street_view/64", "paris_own")
    assert [len(records) for records in dataset.splits.values()] == [4, 2]
    records = list(miniatures.pixels(dataset, "test").values())
    for i, record in enumerate(records):
        middle = miniatures.photograph(10 + i, HEIGHT, WIDTH)[:, 25:93]  # 68 of 118 columns
        np.testing.assert_array_equal(record["image"], cv2.resize(middle, (64, 64), interpolation=cv2.INTER_AREA))


def test_the_published_size_at_a_quarter(tmp_path):
    """936x537, cropped to 537x537 and resized by no whole factor."""
    write_paris(tmp_path / "paris")
    large = miniatures.photograph(3, 537, 936)
    miniatures.write(tmp_path / "paris" / "paris_eval" / "paris_eval_gt" / "000_im.png", large)
    image = next(iter(miniatures.pixels(build(tmp_path / "paris", tmp_path / "out", size=128), "test").values()))
    expected = cv2.resize(large[:, 199:736], (128, 128), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(image["image"], expected)


def test_all_of_the_photograph(tmp_path):
    write_paris(tmp_path / "paris")
    dataset = build(tmp_path / "paris", tmp_path / "out", crop="stretch")
    assert dataset.name == "paris_street_view/64-stretch"
    image = next(iter(miniatures.pixels(dataset, "test").values()))["image"]
    whole = miniatures.photograph(10, HEIGHT, WIDTH)
    np.testing.assert_array_equal(image, cv2.resize(whole, (64, 64), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize(
    "folders", [{"train": "paris_train", "test": "paris_eval_gt"}, {"train": "Train", "test": "Test"}]
)
def test_folders_by_other_names(folders, tmp_path):
    plan = paris_street_view.plan(Settings(source=str(write_paris(tmp_path / "paris", **folders)), size=64))
    assert [len(items) for items in plan.splits.values()] == [4, 2]


def test_zips_hold_the_same_dataset(tmp_path):
    tree = write_paris(tmp_path / "tree")
    whole = miniatures.write_zip(tmp_path / "paris.zip", tree)
    parts = tmp_path / "parts"
    for name in ("paris_train_original", "paris_eval"):
        shutil.copytree(tree / name, tmp_path / name / name)
        parts.mkdir(exist_ok=True)
        miniatures.write_zip(parts / f"{name}.zip", tmp_path / name)
    expected = build(tree, tmp_path / "out tree")
    for source in (whole, parts):
        dataset = build(source, tmp_path / f"out {source.name}")
        assert (dataset.digests, dataset.split_digest) == (expected.digests, expected.split_digest)
        miniatures.assert_same_files(tmp_path / f"out {source.name}", tmp_path / "out tree")


def test_a_part_that_was_not_downloaded(tmp_path):
    write_paris(tmp_path / "paris")
    shutil.rmtree(tmp_path / "paris" / "paris_train_original")
    refused(tmp_path / "paris", tmp_path / "out", r"no photographs in a folder paris_train_original; give both parts")


def test_only_the_corrupted_photographs_to_measure_on(tmp_path):
    write_paris(tmp_path / "paris")
    shutil.rmtree(tmp_path / "paris" / "paris_eval" / "paris_eval_gt")
    refused(tmp_path / "paris", tmp_path / "out", r"no photographs in a folder paris_eval_gt")


def test_fewer_than_were_published(tmp_path):
    source = write_paris(tmp_path / "paris")
    next((source / "paris_train_original").iterdir()).unlink()
    refused(source, tmp_path / "out", r"1 of 6 photographs are missing: train 4; .*--allow_missing=1")
    assert len(build(source, tmp_path / "out", allow_missing=1).splits["train"]) == 3


def test_more_than_were_published_are_told(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    source = write_paris(tmp_path / "paris")
    miniatures.write(source / "paris_train_original" / "more.jpg", miniatures.photograph(7, HEIGHT, WIDTH))
    assert len(build(source, tmp_path / "out").splits["train"]) == 5
    assert "5 photographs to train are more than the published 4" in caplog.text
