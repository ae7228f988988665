"""CelebAMask-HQ: the merge of the part masks, every form of the archive, and what is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.data.builders.celeba_hq import CelebaMaskHq
from scan_jax.data.label_orders import warn_of_implausible
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES

NUMBERS = (0, 1, 2, 1999, 2000, 2001)
SIDE = 192


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The official tree, with a split for its few people."""
    folder = tmp_path_factory.mktemp("original")
    masks = miniatures.write_celebamask(folder / "tree", NUMBERS, SIDE)
    split = miniatures.write_split(folder / "few.txt", train=["0-2", "2000"], test=["1999", "2001"])
    return folder / "tree", masks, split


@pytest.fixture
def tree(original, tmp_path):
    return Path(shutil.copytree(original[0], tmp_path / "tree"))


def annotations(tree):
    return tree / "CelebAMask-HQ" / "CelebAMask-HQ-mask-anno"


def build(source, split, data_dir, **settings):
    plan = CelebaMaskHq(source=str(source), split=split, **({"size": 64} | settings)).plan()
    return miniatures.built(plan, data_dir)


def refused(source, split, data_dir, match, **settings):
    with miniatures.refuses(match, data_dir):
        build(source, split, data_dir, **settings)


def merged_by_hand(masks, side):
    """The classes of every pixel, by looking each pixel up: the last part in the official order that covers it."""
    planes = np.zeros((19, side, side))  # float64
    for label, part in enumerate(miniatures.PARTS, 1):
        planes[label] = label * masks.get(part, np.zeros((side, side))).astype(float)
    return planes.max(0)  # [side,side]; the order of the parts is the order of the labels


def nearest_by_hand(labels, size):
    """The label at each new pixel's centre, in float64."""
    places = np.floor((np.arange(size) + 0.5) * labels.shape[0] / size).astype(int)
    return labels[np.ix_(places, places)]


def test_the_tree_photograph_by_photograph(original, tmp_path):
    source, masks, split = original
    dataset = build(source, split, tmp_path)
    members = {part: list(records) for part, records in miniatures.all_pixels(dataset).items()}
    assert members == {"train": ["0", "1", "2", "2000"], "test": ["1999", "2001"]}
    assert (dataset.label_names, dataset.flip_pairs) == (CELEBAMASK_HQ_NAMES, ((4, 5), (6, 7), (8, 9)))
    assert dataset.label_names == ("background", *miniatures.PARTS)
    seen = set()
    for name, record in miniatures.by_name(dataset).items():
        jpeg = np.asarray(Image.open(source / "CelebAMask-HQ" / "CelebA-HQ-img" / f"{name}.jpg"))  # [192,192,3]
        np.testing.assert_array_equal(record["image"], cv2.resize(jpeg, (64, 64), interpolation=cv2.INTER_AREA))
        block_means = jpeg.reshape(64, 3, 64, 3, 3).astype(np.float64).mean((1, 3))  # [64,64,3]
        assert np.abs(record["image"] - block_means).max() <= 0.5 + 1e-9
        expected = nearest_by_hand(merged_by_hand(masks[int(name)], SIDE // 2), 64)
        np.testing.assert_array_equal(record["labels"], expected)
        seen |= set(np.unique(expected))
    assert len(seen) > 12  # the parts were not all hidden under others


@pytest.mark.parametrize("size", [96, 128, 200])
def test_other_sizes(size, original, tmp_path):
    """As the masks, between masks and photograph, and larger than both."""
    source, masks, split = original
    record = miniatures.pixels(build(source, split, tmp_path, size=size), "test")["1999"]
    jpeg = np.asarray(Image.open(source / "CelebAMask-HQ" / "CelebA-HQ-img" / "1999.jpg"))
    method = cv2.INTER_AREA if size < SIDE else cv2.INTER_CUBIC
    np.testing.assert_array_equal(record["image"], cv2.resize(jpeg, (size, size), interpolation=method))
    np.testing.assert_array_equal(record["labels"], nearest_by_hand(merged_by_hand(masks[1999], SIDE // 2), size))


@pytest.fixture(scope="module")
def expected(original, tmp_path_factory):
    place = tmp_path_factory.mktemp("expected")
    return build(original[0], original[2], place), place


def as_list(tree, place):
    names = sorted(str(file) for file in tree.rglob("*") if file.is_file())
    (place / "files.txt").write_text("# all of it\n" + "\n".join(names) + "\n")
    return place / "files.txt"


def as_merged(tree, place, photographs="CelebA-HQ-img", labels="CelebAMask-HQ-mask"):
    root, merged = tree / "CelebAMask-HQ", place / "merged"
    shutil.copytree(root / "CelebA-HQ-img", merged / photographs)
    for file in (merged / photographs).iterdir():
        masks = {
            path.stem[6:]: np.asarray(Image.open(path).convert("L")) > 0
            for path in root.glob(f"CelebAMask-HQ-mask-anno/*/{int(file.stem):05d}_*.png")
        }
        classes = merged_by_hand(masks, SIDE // 2).astype(np.uint8)
        miniatures.write(merged / labels / f"{file.stem}.png", classes)
    return merged


FORMS = {
    "zip": lambda tree, place: miniatures.write_zip(place / "CelebAMask-HQ.zip", tree),
    "inner folder": lambda tree, place: tree / "CelebAMask-HQ",
    "list": as_list,
    "merged": as_merged,
    "merged under plain names": lambda tree, place: as_merged(tree, place, "images", "labels"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_dataset(form, original, expected, tmp_path):
    dataset = build(FORMS[form](original[0], tmp_path), original[2], tmp_path / "out")
    assert (dataset.digests, dataset.split_digest) == (expected[0].digests, expected[0].split_digest)
    miniatures.assert_same_files(tmp_path / "out", expected[1])


def test_plain_tfds_reads_it_without_tensorflow(original, expected):
    """Another process, since the tests' own may have imported TensorFlow."""
    script = f"""
import sys
import tensorflow_datasets as tfds
builder = tfds.builder("{expected[0].name}", data_dir={str(expected[1])!r})
records = builder.as_data_source("train")
assert (len(records), builder.info.splits["test"].num_examples) == (4, 2)
labels = builder.info.features["labels"]
assert records[3]["name"] == b"2000" and records[3]["labels"].shape == (64, 64, 1)
assert "tensorflow" not in sys.modules
print(records[3]["labels"].sum(), ",".join(labels._int2str if hasattr(labels, "_int2str") else labels.names))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    total, names = done.stdout.split()
    assert int(total) == nearest_by_hand(merged_by_hand(original[1][2000], SIDE // 2), 64).sum()
    assert names == ",".join(CELEBAMASK_HQ_NAMES)


def test_a_grey_level_of_one_is_a_mask(tree, original, tmp_path):
    """Whatever is not black, as the official script has it."""
    faint = np.zeros((SIDE // 2, SIDE // 2), np.uint8)
    faint[:10] = 1
    miniatures.write(annotations(tree) / "0" / "00000_cloth.png", faint)
    labels = miniatures.pixels(build(tree, original[2], tmp_path / "out", size=96), "train")["0"]["labels"]
    assert (labels[:10] == 18).all()


# What is done to the tree, given its photographs and masks, and what is said of it.
SPOILT = {
    "a folder of the masks is missing": (
        lambda _, masks: shutil.rmtree(masks / "1"),
        r"2 photographs have no masks: 2000-2001; CelebAMask-HQ-mask-anno/1 is missing",
    ),
    "no masks": (lambda _, masks: shutil.rmtree(masks), r"the masks are missing.*CelebAMask-HQ-mask-anno"),
    "no photographs": (lambda photographs, _: shutil.rmtree(photographs), r"no photographs by number"),
    "a photograph is missing": (
        lambda photographs, _: (photographs / "1999.jpg").unlink(),
        r"1 of 6 photographs are missing: 1999;.*--allow_missing=1",
    ),
    "another person's folder": (
        lambda _, masks: shutil.move(masks / "1" / "02000_skin.png", masks / "0" / "02000_skin.png"),
        r"0/02000_skin.png: masks of person 2000 belong in folder 1, not 0",
    ),
    "an unknown part": (
        lambda _, masks: shutil.move(masks / "0" / "00000_skin.png", masks / "0" / "00000_skim.png"),
        r"00000_skim.png: 'skim' is no part .* did you mean 'skin'",
    ),
    "masks of several sizes": (
        lambda _, masks: miniatures.write(masks / "0" / "00002_skin.png", np.zeros((64, 64), np.uint8)),
        r"00002_\w+.png: masks of one person are .*64x64",
    ),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_what_is_missing_or_wrong_is_named(kind, tree, original, tmp_path):
    spoil, match = SPOILT[kind]
    spoil(tree / "CelebAMask-HQ" / "CelebA-HQ-img", annotations(tree))
    refused(tree, original[2], tmp_path / "out", match)


def test_one_person_without_masks(tree, original, tmp_path):
    for file in annotations(tree).glob("0/00001_*.png"):
        file.unlink()
    match = r"1 photographs? ha\w+ no masks: 1\b(?!.*mask-anno/).*--allow_missing=1"
    refused(tree, original[2], tmp_path / "out", match)
    dataset = build(tree, original[2], tmp_path / "out", allow_missing=1)
    assert list(miniatures.pixels(dataset, "train")) == ["0", "2", "2000"]


@pytest.mark.parametrize("spoil", [miniatures.truncate, miniatures.empty])
def test_a_broken_mask_is_named_and_can_be_done_without(spoil, tree, original, tmp_path):
    spoil(annotations(tree) / "1" / "02001_skin.png")
    refused(tree, original[2], tmp_path / "out", r"1 file does not decode: 2001 \(.*02001_skin.png.*--allow_missing=1")
    dataset = build(tree, original[2], tmp_path / "out", allow_missing=1)
    assert list(miniatures.pixels(dataset, "test")) == ["1999"]


def test_label_maps_that_cannot_be(original, tmp_path):
    source = as_merged(original[0], tmp_path)
    for labels, match in (
        (np.zeros((96, 90), np.uint8), r"0.jpg is 90x96, its photograph 192x192: their proportions differ"),
        (np.full((96, 96), 19, np.uint8), r"0\.\w+ has the label 19, but 19 classes"),
        (miniatures.photograph(0, 96), r"0.png is a colour image"),
    ):
        miniatures.write(source / "CelebAMask-HQ-mask" / "0.png", labels)
        refused(source, original[2], tmp_path / "out", match)


def in_the_other_order(merged):
    """The label maps as face-parsing.PyTorch numbers the classes, written down from there."""
    theirs = "background skin l_brow r_brow l_eye r_eye eye_g l_ear r_ear ear_r nose mouth u_lip l_lip neck neck_l"
    order = [*theirs.split(), "cloth", "hair", "hat"]
    numbers = np.array([order.index(name) for name in CELEBAMASK_HQ_NAMES], np.uint8)
    for file in (merged / "CelebAMask-HQ-mask").iterdir():
        miniatures.write(file, numbers[np.asarray(Image.open(file))])
    return merged


def test_merged_maps_in_the_order_of_another_parser(original, expected, tmp_path):
    source = in_the_other_order(as_merged(original[0], tmp_path))
    dataset = build(source, original[2], tmp_path / "out", label_order="face_parsing")
    assert dataset.digests == expected[0].digests
    refused(source, original[2], tmp_path / "out", "holds a dataset of other photographs or settings")
    refused(original[0], original[2], tmp_path / "no", "--label_order is for merged", label_order="face_parsing")


@pytest.mark.parametrize(("order", "hair"), [("celebamask_hq", 13), ("face_parsing", 17)])
def test_areas_that_do_not_fit_the_order_are_warned_of(order, hair, caplog):
    """Of 100 pixels 30 are background, 30 skin, 30 hair and 10 neck."""
    neck, other = {"celebamask_hq": (17, "face_parsing"), "face_parsing": (14, "celebamask_hq")}[order]
    portrait = np.repeat(np.array([0, 1, hair, neck], np.int32), (30, 30, 30, 10)).reshape(10, 10)
    warn_of_implausible([portrait, portrait], order)
    assert not caplog.records
    warn_of_implausible([portrait, portrait], other)
    assert f"hardly in the order {other}: hair would be " in caplog.text
    assert f"--label_order={order}, in which hair is 30.0%" in caplog.text
