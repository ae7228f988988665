"""Paris StreetView: the folders it comes in, what is no photograph, and how many there must be."""

import logging
import shutil

import cv2
import miniatures
import numpy as np
import pytest

from scan_jax.data.builders import paris_street_view
from scan_jax.data.builders.paris_street_view import ParisStreetView

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
    plan = ParisStreetView(source=str(source), **({"size": 64} | settings)).plan()
    return miniatures.built(plan, data_dir)


@pytest.fixture
def paris(tmp_path):
    return write_paris(tmp_path / "paris")


def refused(source, data_dir, match):
    with miniatures.refuses(match, data_dir):
        build(source, data_dir)


def test_the_folder_as_received(paris, tmp_path):
    dataset = build(paris, tmp_path / "out")
    assert (dataset.name, dataset.split) == ("paris_street_view/64", "paris_own")
    assert [len(records) for records in dataset.splits.values()] == [4, 2]
    stretched = build(paris, tmp_path / "out", crop="stretch")
    assert stretched.name == "paris_street_view/64-stretch"
    for made, columns in ((dataset, slice(25, 93)), (stretched, slice(None))):  # 68 of 118, or all of them
        for i, record in enumerate(miniatures.pixels(made, "test").values()):
            part = np.ascontiguousarray(miniatures.photograph(10 + i, HEIGHT, WIDTH)[:, columns])
            np.testing.assert_array_equal(record["image"], cv2.resize(part, (64, 64), interpolation=cv2.INTER_AREA))


def test_the_published_size_at_a_quarter(paris, tmp_path):
    """936x537, cropped to 537x537 and resized by no whole factor."""
    large = miniatures.photograph(3, 537, 936)
    miniatures.write(paris / "paris_eval" / "paris_eval_gt" / "000_im.png", large)
    image = next(iter(miniatures.pixels(build(paris, tmp_path / "out", size=128), "test").values()))
    expected = cv2.resize(large[:, 199:736], (128, 128), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(image["image"], expected)


@pytest.mark.parametrize("names", [("paris_train", "paris_eval_gt"), ("Train", "Test")])
def test_folders_by_other_names(names, tmp_path):
    plan = ParisStreetView(source=str(write_paris(tmp_path / "paris", *names)), size=64).plan()
    assert [len(items) for items in plan.splits.values()] == [4, 2]


def test_zips_hold_the_same_dataset(paris, tmp_path):
    whole = miniatures.write_zip(tmp_path / "paris.zip", paris)
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in ("paris_train_original", "paris_eval"):
        shutil.copytree(paris / name, tmp_path / name / name)
        miniatures.write_zip(parts / f"{name}.zip", tmp_path / name)
    expected = build(paris, tmp_path / "out tree")
    for source in (whole, parts):
        dataset = build(source, tmp_path / f"out {source.name}")
        assert (dataset.digests, dataset.split_digest) == (expected.digests, expected.split_digest)
        miniatures.assert_same_files(tmp_path / f"out {source.name}", tmp_path / "out tree")


def test_a_part_that_was_not_downloaded(paris, tmp_path):
    for folder, match in (
        ("paris_eval/paris_eval_gt", r"no photographs in a folder paris_eval_gt"),
        ("paris_train_original", r"no photographs in a folder paris_train_original; give both parts"),
    ):
        shutil.rmtree(paris / folder)
        refused(paris, tmp_path / "out", match)


def test_fewer_and_more_than_were_published(paris, tmp_path, caplog):
    (first, *_) = (paris / "paris_train_original").iterdir()
    first.unlink()
    refused(paris, tmp_path / "out", r"1 of 6 photographs are missing: train 4; .*--allow_missing=1")
    assert len(build(paris, tmp_path / "out", allow_missing=1).splits["train"]) == 3
    for i in range(2):
        miniatures.write(paris / "paris_train_original" / f"{i}.jpg", miniatures.photograph(7 + i, HEIGHT, WIDTH))
    with caplog.at_level(logging.WARNING):
        assert len(build(paris, tmp_path / "more").splits["train"]) == 5
    assert "5 photographs to train are more than the published 4" in caplog.text
