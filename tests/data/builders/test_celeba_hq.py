"""CelebA-HQ: the copies that are handed around, their numbers, and the splits."""

import logging
import shutil

import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.data.builders import celeba_hq
from scan_jax.data.builders.celeba_hq import Settings
from scan_jax.errors import UserError


@pytest.fixture
def split(tmp_path):
    return miniatures.write_split(tmp_path / "few.txt", train=["0-3"], test=["4", "5"])


def plan(source, split, **settings):
    return celeba_hq.plan(Settings(source=str(source), split=split, size=64, **settings))


def refused(source, split, match, **settings):
    with pytest.raises(UserError, match=match) as caught:
        plan(source, split, **settings).check()
    assert "\n" not in str(caught.value)


def seed_of(image):
    """Which of the drawn photographs an image is, by the nearest."""
    candidates = [miniatures.photograph(seed, 64).astype(float) for seed in range(8)]
    return int(np.argmin([np.abs(image - candidate).mean() for candidate in candidates]))


@pytest.mark.parametrize("pattern", ["{:05d}.png", "{}.jpg", "data256x256/{:05d}.JPG", "deep/er/{}.webp"])
def test_flat_folders_by_number(pattern, split, tmp_path):
    names = [pattern.format(number) for number in range(6)]
    miniatures.write_photographs(tmp_path / "flat", names, 64)
    miniatures.write(tmp_path / "flat" / "thumbnail.png", miniatures.photograph(99))
    dataset = miniatures.built(plan(tmp_path / "flat", split), tmp_path / "out")
    records = miniatures.all_pixels(dataset)
    assert {part: list(some) for part, some in records.items()} == {"train": ["0", "1", "2", "3"], "test": ["4", "5"]}
    for name, record in (records["train"] | records["test"]).items():
        assert seed_of(record["image"]) == int(name)


def test_numbers_from_one_are_counted_from_zero(split, tmp_path, monkeypatch, caplog):
    """As CelebA-HQ's 256x256 copies are, 00001.jpg to 30000.jpg; photograph 0 of the papers is their first."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(celeba_hq, "COUNT", 6)
    names = [f"{number:05d}.png" for number in range(1, 7)]
    miniatures.write_photographs(tmp_path / "from_one", names, 64)
    records = miniatures.all_pixels(miniatures.built(plan(tmp_path / "from_one", split), tmp_path / "out"))
    assert [seed_of(record["image"]) for record in records["train"].values()] == [0, 1, 2, 3]
    assert [seed_of(record["image"]) for record in records["test"].values()] == [4, 5]
    assert "numbered from 1" in caplog.text


def test_numbers_from_zero_stay_where_the_last_is_missing(split, tmp_path, monkeypatch):
    monkeypatch.setattr(celeba_hq, "COUNT", 6)
    miniatures.write_photographs(tmp_path / "some", [f"{number}.png" for number in (1, 2, 3, 4, 5)], 64)
    refused(tmp_path / "some", split, r"1 of 6 photographs are missing: 0;")


def test_a_number_that_occurs_twice(split, tmp_path):
    miniatures.write_photographs(tmp_path / "twice", ["0.png", "1.png", "00001.jpg"], 64)
    refused(tmp_path / "twice", split, r"photograph 1 is there twice: (00001.jpg and 1.png|1.png and 00001.jpg)")


def test_the_missing_are_named_as_ranges(split, tmp_path):
    miniatures.write_photographs(tmp_path / "some", ["0.png", "4.png"], 64)
    refused(tmp_path / "some", split, r"4 of 6 photographs are missing: 1-3, 5; .*--allow_missing=4")
    refused(tmp_path / "some", split, r"4 of 6", allow_missing=3)
    records = miniatures.all_pixels(miniatures.built(plan(tmp_path / "some", split, allow_missing=4), tmp_path / "out"))
    assert {part: list(some) for part, some in records.items()} == {"train": ["0"], "test": ["4"]}


def test_nobody_left_in_a_split(split, tmp_path):
    miniatures.write_photographs(tmp_path / "some", ["0.png", "1.png"], 64)
    refused(tmp_path / "some", split, r"no photographs for test", allow_missing=4)


def test_no_photographs_by_number(split, tmp_path):
    miniatures.write_photographs(tmp_path / "names", ["ann.png", "bob.jpg"], 64)
    refused(tmp_path / "names", split, r"no photographs by number.*CelebAMask-HQ.zip")


@pytest.mark.parametrize("name", ["celebahq_28k_2", "celeba_partitions"])
def test_an_unknown_split_and_the_nearest(name, tmp_path):
    miniatures.write_photographs(tmp_path / "some", ["0.png"], 64)
    refused(tmp_path / "some", name, rf"no split '{name}', did you mean '{name.rstrip('s')[:14]}")


@pytest.mark.parametrize("size", [0, 63, 1025, -64])
def test_sizes_out_of_range(size, tmp_path):
    miniatures.write_photographs(tmp_path / "some", ["0.png"], 64)
    with pytest.raises(UserError, match=f"--size must be from 64 to 1024 pixels, not {size}"):
        celeba_hq.plan(Settings(source=str(tmp_path / "some"), size=size))


def write_mapping(folder, rows):
    lines = [f"{number} {other} {other + 1:06d}.jpg" for number, other in rows.items()]
    (folder / miniatures.MAPPING).write_text("idx orig_idx orig_file\r\n" + "\r\n".join(lines) + "\r\n")


def test_celebas_partition_by_way_of_the_mapping(tmp_path):
    """By hand: CelebA's photographs 1 to 162770 are to train, 162771 to 182637 to validate, from 182638 on to test."""
    miniatures.write_photographs(tmp_path / "some", [f"{number}.png" for number in range(6)], 64)
    write_mapping(tmp_path / "some", {0: 182_637, 1: 0, 2: 162_769, 3: 162_770, 4: 182_636, 5: 202_598})
    made = plan(tmp_path / "some", "celeba_partition")
    members = {part: [item.name for item in items] for part, items in made.splits.items()}
    assert members == {"train": ["1", "2"], "validation": ["3", "4"], "test": ["0", "5"]}
    assert (made.config, made.usage["split"]) == ("64-celeba_partition", "celeba_partition")
    dataset = miniatures.built(made, tmp_path / "out")
    assert {part: list(some) for part, some in miniatures.all_pixels(dataset).items()} == members
    assert dataset.split == "celeba_partition"


def test_celebas_partition_without_the_mapping(tmp_path):
    miniatures.write_photographs(tmp_path / "some", ["0.png"], 64)
    refused(tmp_path / "some", "celeba_partition", r"celeba_partition needs CelebA-HQ-to-CelebA-mapping.txt")


@pytest.mark.parametrize("text", ["", "idx orig_idx orig_file\n1 2\n", "a\nb c d\n", "a\nx 1 y.jpg\n"])
def test_another_file_by_the_mappings_name(text, tmp_path):
    miniatures.write_photographs(tmp_path / "some", ["0.png"], 64)
    (tmp_path / "some" / miniatures.MAPPING).write_text(text)
    refused(tmp_path / "some", "celeba_partition", r"is not CelebA-HQ's mapping")


def test_photographs_are_cut_to_their_centre(split, tmp_path):
    wide = miniatures.photograph(0, 64, 100)
    for number in range(6):
        miniatures.write(tmp_path / "wide" / f"{number}.png", wide)
    dataset = miniatures.built(plan(tmp_path / "wide", split), tmp_path / "out")
    np.testing.assert_array_equal(miniatures.pixels(dataset, "train")["3"]["image"], wide[:, 18:82])


@pytest.mark.parametrize("spoil", [miniatures.truncate, miniatures.write_bomb, lambda path: path.write_bytes(b"")])
def test_broken_photographs_are_listed_and_can_be_done_without(spoil, split, tmp_path):
    miniatures.write_photographs(tmp_path / "some", [f"{number}.png" for number in range(6)], 64)
    for number in (2, 4):
        spoil(tmp_path / "some" / f"{number}.png")
    with pytest.raises(UserError, match=r"2 files do not decode: 2 \(.+\); 4 \(.+\); .*--allow_missing=2") as caught:
        miniatures.built(plan(tmp_path / "some", split, allow_missing=1), tmp_path / "out")
    assert "\n" not in str(caught.value) and "BytesIO" not in str(caught.value)
    assert miniatures.files_below(tmp_path / "out") == []
    dataset = miniatures.built(plan(tmp_path / "some", split, allow_missing=2), tmp_path / "out")
    assert list(miniatures.pixels(dataset, "train")) == ["0", "1", "3"]
    assert list(miniatures.pixels(dataset, "test")) == ["5"]


def test_missing_and_broken_ones_count_together(split, tmp_path):
    miniatures.write_photographs(tmp_path / "some", [f"{number}.png" for number in range(5)], 64)
    miniatures.truncate(tmp_path / "some" / "2.png")
    with pytest.raises(UserError, match=r"2 \(.*--allow_missing=2"):
        miniatures.built(plan(tmp_path / "some", split, allow_missing=1), tmp_path / "out")
    dataset = miniatures.built(plan(tmp_path / "some", split, allow_missing=2), tmp_path / "out")
    assert [len(records) for records in dataset.splits.values()] == [3, 1]


def test_the_official_archive_without_a_look_at_its_masks(split, tmp_path):
    miniatures.write_celebamask(tmp_path / "tree", range(6), 64)
    shutil.rmtree(tmp_path / "tree" / "CelebAMask-HQ" / "CelebAMask-HQ-mask-anno" / "0")
    with_masks = miniatures.write_celebamask(tmp_path / "whole", range(6), 64)
    one = plan(tmp_path / "tree", split)
    other = plan(tmp_path / "whole", split)
    assert with_masks and one.membership() == other.membership()
    dataset = miniatures.built(other, tmp_path / "out")
    jpeg = Image.open(tmp_path / "tree" / "CelebAMask-HQ" / "CelebA-HQ-img" / "5.jpg")
    np.testing.assert_array_equal(miniatures.pixels(dataset, "test")["5"]["image"], np.asarray(jpeg))
