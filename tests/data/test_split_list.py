"""Splits: those that come with the toolkit, those of people's own, and what their files may not say."""

import hashlib

import miniatures
import pytest

from scan_jax.data.split_list import SplitList, name_ranges, read_split


def refused(match, path, numbers=None):
    with miniatures.refuses(match):
        read_split(str(path), numbers)


def test_the_papers_split():
    split = read_split("celebahq_28k_2k")
    members = {"train": tuple(map(str, range(28_000))), "test": tuple(map(str, range(28_000, 30_000)))}
    assert split.members == members
    assert str(split) == f"split celebahq_28k_2k ({split.digest[:12]}): train 28,000, test 2,000"
    # Published numbers, logs and tables name the digest: it may never change.
    lines = "".join(f"{part}\t{name}\n" for part, names in members.items() for name in names)
    assert split.digest == hashlib.sha256(lines.encode()).hexdigest()
    match = r"no split 'celebahq_28k', did you mean 'celebahq_28k_2k'\?; .*celeba_partition, celebahq_28k_2k"
    refused(match, "celebahq_28k")


def test_digests_by_hand():
    split = SplitList("any", {"train": ("a", "b"), "test": ("c",)})
    assert split.digest == hashlib.sha256(b"train\ta\ntrain\tb\ntest\tc\n").hexdigest()
    assert split.digest == SplitList("other", {"train": ("a", "b"), "test": ("c",)}).digest
    assert split.digest != SplitList("any", {"train": ("b", "a"), "test": ("c",)}).digest
    assert split.digest != SplitList("any", {"train": ("a",), "test": ("b", "c")}).digest


def test_celebas_partition_counts():
    """Its own: 162,770 photographs to train, 19,867 to validate and 19,962 to test with."""
    split = read_split("celeba_partition", {f"hq{i}": str(i) for i in range(1, 202_600)})
    counts = {part: len(names) for part, names in split.members.items()}
    assert counts == {"train": 162_770, "validation": 19_867, "test": 19_962}
    assert split.members["validation"][0] == "hq162771" and split.members["test"][0] == "hq182638"


@pytest.mark.parametrize("numbers", [None, {}])
def test_a_partition_by_numbers_needs_them_and_keeps_the_photographs_order(numbers):
    refused(r"celeba_partition needs CelebA-HQ-to-CelebA-mapping.txt, which is not there", "celeba_partition", numbers)
    numbers = {"9": "5", "2": "162771", "4": "1", "1": "300000"}
    assert read_split("celeba_partition", numbers).members == {"train": ("9", "4"), "validation": ("2",)}


def test_a_file_of_ones_own(tmp_path):
    text = "# mine\n\ntest c d.jpg   # with a space in its name\ntrain 3-5\ntrain  sub/e\nvalidation 7-7\n"
    (tmp_path / "mine.txt").write_text("\ufeff" + text.removeprefix("# mine\n\n"), encoding="utf-8")
    assert read_split(str(tmp_path / "mine.txt")).members["test"] == ("c d.jpg",)
    (tmp_path / "mine.txt").write_text(text)
    split = read_split(str(tmp_path / "mine.txt"))
    assert split.name == "mine"
    members = {"train": ("3", "4", "5", "sub/e"), "validation": ("7",), "test": ("c d.jpg",)}
    assert list(split.members.items()) == list(members.items())


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"train 1-3\ntest 3-4\n", r"split bad: 3 is in train and again in test"),
        (b"train 1-3\ntrain 2\ntest 9\n", r"split bad: 2 is in train and again in train"),
        (b"train 1-3\n", r"split bad needs photographs in train and in validation or test"),
        (b"test 1-3\n", r"split bad needs photographs in train"),
        (b"", r"split bad needs photographs in train"),
        (b"train 1-3\ntraining 4\n", r"split bad, line 2: cannot read 'training 4'"),
        (b"train\n", r"split bad, line 1: cannot read 'train'"),
        (b"train 1-3\ntest 5-4\n", r"split bad, line 2: .*5-4"),
        (b"\xff\xfe\xfd", r"cannot read the split .*bad.txt: .*; save it as UTF-8 text"),
    ],
)
def test_what_a_file_may_not_say(text, match, tmp_path):
    (tmp_path / "bad.txt").write_bytes(text)
    refused(match, tmp_path / "bad.txt")


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ([], ""),
        (["17"], "17"),
        (["17", "400", "401", "402"], "17, 400-402"),
        (["train 1", "train 2", "test 3"], "train 1-2, test 3"),
        (["a", "b"], "a, b"),
        (["1", "3", "5", "7"], "1, 3 and 2 more"),
        (["1", "3", "5", "6", "7", "9"], "1, 3 and 4 more"),
        (["a9", "a10", "b11"], "a9-10, b11"),
    ],
)
def test_names_in_a_line(names, line):
    assert name_ranges(names, 2) == line
