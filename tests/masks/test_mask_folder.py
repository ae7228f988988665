"""Holes from files: order, splits, polarity, sizes, and what is refused."""

import logging

import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.images.hole import binarise, read_grey, resize_nearest
from scan_jax.masks.api import open_holes
from scan_jax.masks.mask_folder import turn_at_random
from scan_jax.masks.ratio import Bucket

ANY = Bucket(0.0, 1.0)


def write_mask(path, ratio, size=50):
    """The top `ratio` of a square, white."""
    grey = np.zeros((size, size), np.uint8)
    grey[: round(ratio * size)] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)


@pytest.fixture
def folder(tmp_path):
    for i in range(6):
        write_mask(tmp_path / f"{i}.png", 0.1 * (i + 1) - 0.04)
    return tmp_path


def open_folder(folder, **section):
    return open_holes({"name": "mask_folder", "path": str(folder), "ratio": (0.0, 1.0)} | section)


def ratios(source, size=50):
    return [round(float(hole.mean()), 3) for hole in source.fixed(size, ANY, 0, seed=0)]


def test_every_second_file_is_held_out(folder, tmp_path_factory):
    splits = open_folder(folder)
    assert ratios(splits.train) == [0.06, 0.26, 0.46]
    assert ratios(splits.held_out) == [0.16, 0.36, 0.56]
    other = tmp_path_factory.mktemp("other")
    write_mask(other / "deep" / "A.PNG", 0.3)
    splits = open_folder(folder, held_out_path=str(other))  # or all files of another folder
    assert (len(ratios(splits.train)), ratios(splits.held_out)) == (6, [0.3])
    assert ratios(open_folder(folder, hole_color="black").train) == [0.94, 0.74, 0.54]
    with pytest.raises(UserError, match="white or black, not 'wite', did you mean 'white'"):
        open_folder(folder, hole_color="wite")


def test_an_index_names_files_and_order(folder):
    (folder / "index.csv").write_text("hole_ratio,file\n0,5.png\n0,0.png\n0,3.png\n")
    splits = open_folder(folder)
    assert ratios(splits.train) == [0.56, 0.36]
    assert ratios(splits.held_out) == [0.06]
    (folder / "index.csv").write_text("file\n5.png\nabsent.png\n")
    with pytest.raises(UserError, match=r"absent\.png"):
        open_folder(folder)
    (folder / "index.csv").write_text("mask\n5.png\n")  # without the column it is passed over
    assert len(ratios(open_folder(folder).train)) == 3


def test_files_outside_the_ratio_are_left_out(folder):
    splits = open_folder(folder, ratio=(0.2, 0.4))
    assert ratios(splits.train) == [0.26]
    assert ratios(splits.held_out) == [0.36]
    rng = np.random.default_rng(0)
    drawn = [splits.train.draw(rng, 50) for _ in range(60)]
    assert all(0.2 < hole.mean() <= 0.4 for hole in drawn)
    assert len({hole.tobytes() for hole in drawn}) == 4  # training draws update and flip: a bar at each side
    assert len({splits.held_out.draw(rng, 50).tobytes() for _ in range(20)}) == 1


def test_random_turns_reach_all_eight_and_keep_the_pixels():
    hole = np.zeros((3, 3), bool)
    hole[0, 1] = hole[0, 0] = True
    rng = np.random.default_rng(0)
    turned = {turn_at_random(rng, hole).tobytes() for _ in range(100)}
    flips = {np.rot90(side, k).tobytes() for side in (hole, hole[:, ::-1]) for k in range(4)}
    assert len(flips) == 8
    assert turned == flips


def test_nearest_takes_the_pixel_at_the_centre_and_the_cut_is_at_a_half():
    grey = np.arange(81, dtype=np.uint8).reshape(9, 9)
    np.testing.assert_array_equal(resize_nearest(grey, 3), grey[1::3, 1::3])
    wide = np.arange(54, dtype=np.uint8).reshape(3, 18)
    np.testing.assert_array_equal(resize_nearest(wide, 3), wide[:, 3::6])
    np.testing.assert_array_equal(binarise(np.array([[0, 127, 128, 255]], np.uint8)), [[False, False, True, True]])
    with pytest.raises(ValueError, match="uint8"):
        binarise(np.zeros((2, 2)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_every_kind_of_file_gives_the_same_hole(mode, tmp_path):
    white = np.zeros((20, 20), np.uint8)
    white[3:9, 5:20] = 255
    if mode == "I;16":
        Image.fromarray(white.astype(np.uint16) * 257).save(tmp_path / "m.png")
    else:
        Image.fromarray(white).convert(mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_grey(tmp_path / "m.png"), white)


def test_missing_empty_and_single_mask_folders_are_refused(tmp_path):
    for folder, match in (
        (tmp_path / "nowhere", r"config\.holes\.path: no folder"),
        ("", "no folder ''"),
        (tmp_path, "no mask images"),
    ):
        with pytest.raises(UserError, match=match):
            open_folder(folder)
    write_mask(tmp_path / "only.png", 0.3)
    with pytest.raises(UserError, match="single mask"):
        open_folder(tmp_path)


def test_no_hole_in_the_range_or_an_unreadable_mask_is_said(folder):
    source = open_folder(folder, ratio=(0.8, 0.9)).train
    with pytest.raises(UserError, match=r"none of the 3 masks.*\(0\.8, 0\.9\].*0\.060-0\.460.*255"):
        source.draw(np.random.default_rng(0), 50)
    whole = (folder / "2.png").read_bytes()
    (folder / "2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"2\.png"):
        open_folder(folder).train.draw(np.random.default_rng(0), 50)


def warnings(source, caplog, sizes):
    with caplog.at_level(logging.WARNING, "scan_jax"):
        for size in sizes:
            source.draw(np.random.default_rng(0), size)
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_reversed_polarity_and_grey_masks_are_warned_of_once(folder, caplog):
    assert warnings(open_folder(folder).train, caplog, [32]) == []
    for i in range(4):
        grey = np.full((40, 40), 250, np.uint8)
        grey[:8] = 0
        Image.fromarray(grey).save(folder / f"{i + 2}.png")
    for i in range(2):
        (folder / f"{i}.png").unlink()
    inverted, cut = warnings(open_folder(folder).train, caplog, (20, 20, 40))
    assert "80% hole" in inverted
    assert "hole_color=black" in inverted
    assert "80.00% of the mask pixels" in cut


def test_folders_that_are_a_split_stay_one(folder):
    for i, part in enumerate(("train", "train", "valid", "test", "test", "train")):
        (folder / part).mkdir(exist_ok=True)
        (folder / f"{i}.png").rename(folder / part / f"{i}.png")
    splits = open_folder(folder)
    assert (ratios(splits.train), ratios(splits.held_out)) == ([0.06, 0.16, 0.56], [0.26])
    apart = open_folder(folder, held_out_path=str(folder / "test"))
    assert (ratios(apart.train), ratios(apart.held_out)) == ([0.06, 0.16, 0.56], [0.36, 0.46])


def test_photographs_and_masks_of_a_palette_are_not_taken_for_holes(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(tmp_path / f"{i}.png")
    with pytest.raises(UserError, match=r"cannot read the hole image .*% of its pixels are neither black nor white"):
        open_folder(tmp_path).train.draw(rng, 16)
    for i in range(4):
        Image.fromarray(np.uint8(38) * np.eye(20, dtype=np.uint8)).save(tmp_path / f"{i}.png")
    with pytest.raises(UserError, match=r"cannot read the hole image .*\.png: its brightest value is 38"):
        open_folder(tmp_path).train.draw(rng, 16)
