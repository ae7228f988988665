"""CelebA-HQ: the copies that are handed around, their numbers, and the splits."""

import logging
import shutil

import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.data.builders import celeba_hq
from scan_jax.data.builders.celeba_hq import CelebaHq

SIX = {"train": ["0", "1", "2", "3"], "test": ["4", "5"]}


@pytest.fixture
def split(tmp_path):
    return miniatures.write_split(tmp_path / "few.txt", train=["0-3"], test=["4", "5"])


def plan(source, split, **settings):
    return CelebaHq(source=str(source), split=split, **({"size": 64} | settings)).plan()


def refused(source, split, match, **settings):
    with miniatures.refuses(match):
        plan(source, split, **settings).check()


def built_members(plan, data_dir):
    """The names of a built plan by split; each was drawn with the seed of that number, as its pixels tell."""
    candidates = [miniatures.photograph(seed, 64).astype(float) for seed in range(8)]
    records = miniatures.all_pixels(miniatures.built(plan, data_dir))
    for name, record in (record for some in records.values() for record in some.items()):
        assert int(np.argmin([np.abs(record["image"] - candidate).mean() for candidate in candidates])) == int(name)
    return {part: list(some) for part, some in records.items()}


@pytest.mark.parametrize("pattern", ["{:05d}.png", "{}.jpg", "data256x256/{:05d}.JPG", "deep/er/{}.webp"])
def test_flat_folders_by_number(pattern, split, tmp_path):
    names = [pattern.format(number) for number in range(6)]
    miniatures.write_photographs(tmp_path / "flat", names, 64)
    miniatures.write(tmp_path / "flat" / "thumbnail.png", miniatures.photograph(99))
    assert built_members(plan(tmp_path / "flat", split), tmp_path / "out") == SIX


def test_numbers_from_one_are_counted_from_zero(split, tmp_path, monkeypatch, caplog):
    """As CelebA-HQ's 256x256 copies are, 00001.jpg to 30000.jpg; photograph 0 of the papers is their first."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(celeba_hq, "COUNT", 6)
    miniatures.write_photographs(tmp_path / "one", [f"{number:05d}.png" for number in range(1, 7)], 64)
    assert built_members(plan(tmp_path / "one", split), tmp_path / "out") == SIX
    assert "numbered from 1" in caplog.text
    (tmp_path / "one" / "00006.png").unlink()  # where the last is missing, they are numbers from zero
    refused(tmp_path / "one", split, r"1 of 6 photographs are missing: 0;")


@pytest.mark.parametrize(
    ("names", "match", "settings"),
    [
        ("0.png 1.png 00001.jpg", r"photograph 1 is there twice: (00001.jpg and 1.png|1.png and 00001.jpg)", {}),
        ("0.png 4.png", r"4 of 6 photographs are missing: 1-3, 5; .*--allow_missing=4", {}),
        ("0.png 4.png", r"4 of 6", {"allow_missing": 3}),
        (
            "0.png 1.png",
            r"no photographs for test in the source: --split=FILE, with lines such as `train 0` and `test 1`$",
            {"allow_missing": 4},
        ),
        ("0.png 1.png", r"missing: 2-5; complete the source, or split what is there, for test has none: --split=", {}),
        ("ann.png bob.jpg", r"no photographs by number.*CelebAMask-HQ.zip", {}),
        ("0.png", r"no split 'celebahq_28k_2', did you mean 'celebahq_28k_2", {"split": "celebahq_28k_2"}),
        ("0.png", r"no split 'celeba_partitions', did you mean 'celeba_partiti", {"split": "celeba_partitions"}),
        ("0.png", r"needs CelebA-HQ-to-CelebA-mapping.txt", {"split": "celeba_partition"}),
        *(("0.png", f"--size must be from 64 to 1024 pixels, not {n}", {"size": n}) for n in (0, 63, 1025, -64)),
    ],
)
def test_what_is_refused(names, match, settings, split, tmp_path):
    miniatures.write_photographs(tmp_path / "some", names.split(), 64)
    refused(tmp_path / "some", **({"split": split, "match": match} | settings))


def test_some_may_be_missing(split, tmp_path):
    miniatures.write_photographs(tmp_path / "some", ["0.png"], 64)
    miniatures.write(tmp_path / "some" / "4.png", miniatures.photograph(4, 64))
    made = plan(tmp_path / "some", split, allow_missing=4)
    assert built_members(made, tmp_path / "out") == {"train": ["0"], "test": ["4"]}


def write_mapping(folder, rows):
    lines = [f"{number} {other} {other + 1:06d}.jpg" for number, other in rows.items()]
    (folder / miniatures.MAPPING).write_text("idx orig_idx orig_file\r\n" + "\r\n".join(lines) + "\r\n")


def test_celebas_partition_by_way_of_the_mapping(tmp_path):
    """By hand: CelebA's photographs 1 to 162770 are to train, 162771 to 182637 to validate, from 182638 on to test."""
    miniatures.write_photographs(tmp_path / "some", [f"{number}.png" for number in range(6)], 64)
    write_mapping(tmp_path / "some", {0: 182_637, 1: 0, 2: 162_769, 3: 162_770, 4: 182_636, 5: 202_598})
    made = plan(tmp_path / "some", "celeba_partition")
    members = {"train": ["1", "2"], "validation": ["3", "4"], "test": ["0", "5"]}
    assert (made.config, made.usage["split"]) == ("64-celeba_partition", "celeba_partition")
    assert miniatures.members(made) == built_members(made, tmp_path / "out") == members
    assert miniatures.load(tmp_path / "out", "celeba_hq/64-celeba_partition").split == "celeba_partition"


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


def test_broken_photographs_are_listed_and_can_be_done_without_as_missing_ones(split, tmp_path):
    miniatures.write_photographs(tmp_path / "some", [f"{number}.png" for number in range(5)], 64)
    for number, spoil in enumerate((miniatures.truncate, miniatures.write_bomb, miniatures.empty)):
        spoil(tmp_path / "some" / f"{number}.png")
    match = r"3 files do not decode: 0 \((?!.*BytesIO).+\); 1 \(.+\); 2 \(.+\); .*--allow_missing=4"
    with miniatures.refuses(match, tmp_path / "out"):
        miniatures.built(plan(tmp_path / "some", split, allow_missing=3), tmp_path / "out")
    made = plan(tmp_path / "some", split, allow_missing=4)
    assert built_members(made, tmp_path / "out") == {"train": ["3"], "test": ["4"]}


def test_the_official_archive_without_a_look_at_its_masks(split, tmp_path):
    miniatures.write_celebamask(tmp_path / "whole", range(6), 64)
    root = miniatures.copied(tmp_path / "whole", tmp_path / "tree") / "CelebAMask-HQ"
    shutil.rmtree(root / "CelebAMask-HQ-mask-anno" / "0")
    made = plan(tmp_path / "tree", split)
    assert made.membership() == plan(tmp_path / "whole", split).membership()
    image = miniatures.pixels(miniatures.built(made, tmp_path / "out"), "test")["5"]["image"]
    np.testing.assert_array_equal(image, np.asarray(Image.open(root / "CelebA-HQ-img" / "5.jpg")))
