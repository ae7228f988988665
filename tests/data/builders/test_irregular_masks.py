"""Hole masks as a dataset: black and white whatever they were, training and test masks told apart."""

import shutil

import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.data.builders import irregular_masks
from scan_jax.data.builders.irregular_masks import IrregularMasks


def hole(seed, side=128):
    """White strokes on black, uint8 [side,side], some of it grey at the border as the authors' training masks are."""
    draw = np.random.default_rng(seed)
    mask = np.zeros((side, side), np.uint8)
    for _ in range(4):
        top, left = draw.integers(0, side - 20, 2)
        mask[top : top + draw.integers(5, 60), left : left + draw.integers(5, 60)] = draw.choice([127, 128, 255])
    return mask


def write_training(folder, count=4, layout="irregular_mask/disocclusion_img_mask", seed=0):
    for i in range(count):
        miniatures.write(folder / layout / f"{i:05d}.png", hole(seed + i))
    return folder


def write_test(folder, count=3):
    return write_training(folder, count, "mask/testing_mask_dataset", 100)


def plan(source, **settings):
    return IrregularMasks(source=str(source), **({"size": 64} | settings)).plan()


def nearest(mask, size):
    places = np.floor((np.arange(size) + 0.5) * mask.shape[0] / size).astype(int)
    return mask[np.ix_(places, places)]


@pytest.mark.parametrize(("size", "color"), [(64, "white"), (100, "black"), (128, "white")])
def test_black_and_white_by_the_nearest_pixel(size, color, tmp_path):
    dataset = miniatures.built(plan(write_test(tmp_path / "in"), size=size, hole_color=color), tmp_path / "out")
    records = miniatures.by_name(dataset)
    assert len(records) == 3
    for name, record in records.items():
        white = nearest(hole(100 + int(name.removesuffix(".png")[-5:])), size) >= 128
        np.testing.assert_array_equal(record["hole"], np.where(white == (color == "white"), 255, 0))


ROUND = np.hypot(*np.mgrid[-32:32, -32:32]) < 12  # bool [64,64]


@pytest.mark.parametrize(
    ("mask", "mode", "complaint"),
    [
        (np.uint8(255) * ROUND, "L", ""),
        (np.uint8(1) * ROUND, "L", ""),
        (ROUND, "1", ""),
        (np.uint16(255) * ROUND, "I;16", ""),
        (np.stack([0 * ROUND, 255 * ROUND], -1).astype(np.uint8), "LA", ""),  # a shape in alpha
        (np.uint8(38) * ROUND, "L", r"4 files do not decode: 0\.png \(its brightest value is 38, but white is 1"),
        (np.uint8(1) * ROUND, "P", r"its brightest value is 38, .*; its values are the brightness of a palette's"),
        (np.uint8(127) * ROUND, "L", r"its brightest value is 127"),
        (miniatures.photograph(0), "RGB", r"0\.png \(\d+% of its pixels are neither black nor white, as of a photo"),
        (np.uint8(0) * ROUND, "L", r"train: none of 2 masks has a hole; look at them"),
        (np.uint8(255) * (ROUND | True), "L", r"train: none of 2 masks has a known pixel"),
    ],
)
def test_masks_of_any_values_have_the_same_hole_or_are_refused(mask, mode, complaint, tmp_path):
    image = Image.fromarray(mask)
    if mode == "P":
        image.putpalette([0, 0, 0, 128, 0, 0])
    assert image.mode == mode
    (tmp_path / "in").mkdir()
    for i in range(4):
        image.save(tmp_path / "in" / f"{i}.png")
    if complaint:
        with miniatures.refuses(complaint, tmp_path / "out"):
            miniatures.built(plan(tmp_path / "in"), tmp_path / "out")
        return
    for record in miniatures.by_name(miniatures.built(plan(tmp_path / "in"), tmp_path / "out")).values():
        np.testing.assert_array_equal(record["hole"], 255 * ROUND)


def test_both_archives_as_they_are_downloaded(tmp_path):
    made = plan(write_test(write_training(tmp_path / "both")))
    members = miniatures.members(made)
    assert (made.split.name, len(members["train"]), len(members["test"])) == ("by_folder", 4, 3)
    assert all("disocclusion" in name for name in members["train"])
    tree = miniatures.built(made, tmp_path / "out tree")
    assert (tree.name, tree.label_names) == ("irregular_masks/64", ())
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    miniatures.write_zip(downloads / "irregular_mask.zip", write_training(tmp_path / "one"))
    miniatures.write_zip(downloads / "test_mask.zip", write_test(tmp_path / "two"))
    zipped = miniatures.built(plan(downloads), tmp_path / "out")
    for part in ("train", "test"):
        holes = [[record["hole"] for record in miniatures.pixels(x, part).values()] for x in (zipped, tree)]
        np.testing.assert_array_equal(*holes)


@pytest.mark.parametrize("layout", [write_training, write_test])
def test_one_kind_alone_is_halved(layout, tmp_path):
    made = plan(layout(tmp_path / "in"))
    assert made.split.name == "every_second"
    names = {part: [name[-9:-4] for name in names] for part, names in miniatures.members(made).items()}
    assert (names["train"], names["test"][:1]) == (["00000", "00002"], ["00001"])


def test_many_masks_are_told_apart_quickly(tmp_path, monkeypatch):
    """55,116 training and 12,000 test masks must not be compared with one another."""
    for folder in ("irregular_mask", "other"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        for i in range(300):
            (tmp_path / "in" / folder / f"{i}.png").touch()
    calls, original = [], irregular_masks._is_to_train
    monkeypatch.setattr(irregular_masks, "_is_to_train", lambda name: calls.append(name) or original(name))
    assert [len(items) for items in plan(tmp_path / "in").splits.values()] == [300, 300]
    assert len(calls) <= 2 * 600


def test_a_name_of_ones_own_and_too_few_masks(tmp_path):
    made = plan(write_test(tmp_path / "in"), name="mine")
    assert made.config == "mine-64" and made.section == "holes" and made.usage["name"] == "irregular_masks"
    with pytest.raises(UserError, match="--name must be"):
        plan(tmp_path / "in", name="../mine")
    with miniatures.refuses(r"a single mask in .*two are the fewest"):
        plan(write_test(tmp_path / "few", 1))
    shutil.rmtree(tmp_path / "few" / "mask")
    with miniatures.refuses("no images"):
        plan(tmp_path / "few")


@pytest.mark.parametrize("spoil", [miniatures.truncate, miniatures.write_bomb, miniatures.empty])
def test_broken_masks_are_listed(spoil, tmp_path):
    write_test(tmp_path / "few", 6)
    spoil(next((tmp_path / "few").rglob("00004.png")))
    match = r"1 file does not decode: mask/testing_mask_dataset/00004.png \(.*allow_missing=1"
    with miniatures.refuses(match, tmp_path / "out"):
        miniatures.built(plan(tmp_path / "few"), tmp_path / "out")
    dataset = miniatures.built(plan(tmp_path / "few", allow_missing=1), tmp_path / "out")
    assert [len(records) for records in dataset.splits.values()] == [2, 3]
