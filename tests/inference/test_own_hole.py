"""Holes that photographs bring themselves, transparent or in one flat colour."""

import logging

import numpy as np
import pytest
from PIL import Image

import scan_jax
from scan_jax.commands import inpaint
from scan_jax.core.errors import UserError
from scan_jax.images.own_hole import check_hole_from, own_hole
from scan_jax.images.photograph import Photograph, read_photograph
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import FillOptions, Request


def test_alpha_takes_all_that_is_not_opaque_of_grey_and_of_16_bits():
    for samples in (
        np.array([[[9, 0], [9, 255], [9, 254]]], np.uint8),
        np.array([[[9, 9, 9, 0], [9, 9, 9, 65535], [9, 9, 9, 65534]]], np.uint16),
    ):
        found = own_hole(Photograph(np.zeros((1, 3, 3), np.uint8), samples), "alpha")
        np.testing.assert_array_equal(found, [[True, False, True]])
    for opaque in (np.full((2, 2, 4), 255, np.uint8), np.zeros((2, 2, 3), np.uint8)):
        with pytest.raises(UserError, match="no pixel of the photograph is transparent: erase"):
            own_hole(read_photograph(opaque), "alpha")


def test_a_colour_is_exact_but_for_the_tolerance(caplog):
    row = np.array([[[255, 0, 255], [253, 2, 255], [255, 3, 255], [0, 0, 0]]], np.uint8)
    caplog.set_level(logging.INFO, "scan_jax")
    for given, tolerance, expected in (("ff00ff", 0, [1, 0, 0, 0]), ("#FF00ff", 2, [1, 1, 0, 0])):
        found = own_hole(read_photograph(row), given, tolerance)
        np.testing.assert_array_equal(found, np.array([expected], bool))
        assert f"painted in {given}, {sum(expected)} of 4 pixels" in caplog.text
        deep = Photograph(row, row.astype(np.uint16) * 257)
        np.testing.assert_array_equal(own_hole(deep, given, tolerance), found)
    grey = read_photograph(np.array([[7, 8]], np.uint8))
    np.testing.assert_array_equal(own_hole(grey, "080808"), [[False, True]])


def test_no_hole_says_how_far_the_nearest_colour_is():
    row = np.array([[[250, 0, 255, 255], [255, 0, 255, 0], [0, 0, 0, 255]]], np.uint8)
    with pytest.raises(UserError, match="has the colour ff00ff; the nearest is 5 levels off: --hole_tolerance=5 takes"):
        own_hole(read_photograph(row), "ff00ff")  # that of the second pixel cannot be seen
    np.testing.assert_array_equal(own_hole(read_photograph(row), "ff00ff", 5), [[True, False, False]])
    with pytest.raises(UserError, match=r"the nearest is 255 levels off$"):  # no advice to take everything
        own_hole(read_photograph(row[:, 2:]), "ff00ff")
    with pytest.raises(UserError, match="the colour ff00ff; none shows"):
        own_hole(read_photograph(row[:, 1:2]), "ff00ff")


def test_a_colour_that_jpeg_has_blurred_is_said(caplog):
    row = np.array([[[255, 0, 255], [250, 9, 255], [255, 30, 240], [0, 0, 0]]], np.uint8)
    own_hole(read_photograph(row), "ff00ff")
    assert "2 pixels more are up to 32 levels off: --hole_tolerance=32" in caplog.text
    caplog.clear()
    own_hole(read_photograph(row), "ff00ff", 32)
    own_hole(read_photograph(row[:, :2]), "ff00ff")  # the edge of a brush
    assert "levels off" not in caplog.text


def test_what_makes_no_sense_is_one_line():
    for given, message in (
        (("pink",), "--hole_from is alpha, or a colour of six hexadecimal digits"),
        (("ff00ff", -1), "--hole_tolerance is from 0 to 255 levels, not -1"),
        (("alpha", 3), "--hole_tolerance goes with a colour"),
        (("", 3), "--hole_tolerance goes with a colour"),
    ):
        with pytest.raises(UserError, match=message):
            check_hole_from(*given)
        with pytest.raises(UserError, match=message):
            FillOptions(hole_from=given[0], hole_tolerance=(*given, 0)[1])
    photograph, hole = np.zeros((2, 2, 4), np.uint8), np.ones((2, 2), bool)
    with pytest.raises(UserError, match="give the hole, or have it read from the photograph by --hole_from=alpha"):
        Request.open(photograph, hole, options=FillOptions(hole_from="alpha"))
    for fill in (Inpainter.load("telea"), lambda picture: next(Inpainter.load("telea").batch([picture]))):
        with pytest.raises(UserError, match="give the hole, or say where in the photograph it is"):
            fill(photograph)
    assert Request.open(photograph, None, options=FillOptions(hole_from="alpha")).hole.all()


@pytest.fixture
def run(stand_in):
    """What fills without a network; the stand-in only keeps the command from changing this process."""
    stand_in(None, None, 16)
    return "telea"


@pytest.fixture
def erased(tmp_path):
    """A photograph with a hole erased to transparency, with soft edges; and the same painted over in one colour."""
    pixels = np.random.default_rng(4).integers(0, 250, (29, 41, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[8:14, 10:20, 3], pixels[8, 10:20, 3] = 0, 130
    hole = pixels[..., 3] < 255
    Image.fromarray(pixels).save(tmp_path / "erased.png")
    painted = pixels[..., :3].copy()
    painted[hole] = (255, 0, 255)
    Image.fromarray(painted).save(tmp_path / "painted.png")
    return pixels, hole


def alone(run, folder, name, *flags, out="filled.png"):
    return inpaint.main([f"--run={run}", str(folder / name), *flags, f"--out={folder / out}"])


@pytest.mark.parametrize(("name", "marked"), [("erased.png", "alpha"), ("painted.png", "ff00ff")])
def test_the_photograph_may_bring_its_hole(run, erased, tmp_path, name, marked, caplog):
    pixels, hole = erased
    assert alone(run, tmp_path, name, f"--hole_from={marked}") == 0
    filled = np.asarray(Image.open(tmp_path / "filled.png"))
    np.testing.assert_array_equal(filled[~hole], pixels[~hole][:, : filled.shape[2]])
    np.testing.assert_array_equal(filled[hole][:, 3:], 255)
    assert f", {hole.sum()} of 1,189 pixels" in caplog.text
    by_array = scan_jax.Inpainter.load(run)(tmp_path / name, hole_from=marked)
    np.testing.assert_array_equal(by_array, filled[..., :3])
    (again,) = scan_jax.Inpainter.load(run).batch([tmp_path / name], hole_from=marked)
    np.testing.assert_array_equal(again, by_array)


def test_a_folder_of_photographs_that_bring_their_holes(run, erased, tmp_path, capsys):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "erased.png").rename(tmp_path / "photographs/erased.png")
    (tmp_path / "painted.png").rename(tmp_path / "photographs/opaque.png")
    flags = [str(tmp_path / "photographs"), f"--out={tmp_path / 'out'}", "--hole_from=alpha"]
    assert inpaint.main([f"--run={run}", *flags, "--dry_run"]) == 0
    assert f"hole from alpha {100 * erased[1].mean():.1f}%" in capsys.readouterr().out
    assert inpaint.main([f"--run={run}", *flags]) == 0
    assert "opaque.png: no pixel of the photograph is transparent" in capsys.readouterr().err
    whole = [tmp_path / folder / "opaque.png" for folder in ("photographs", "out")]  # one that needs nothing
    assert whole[0].read_bytes() == whole[1].read_bytes()
    assert alone(run, tmp_path, "photographs/opaque.png", "--hole_from=alpha", out="alone.png") == 1
    assert not (tmp_path / "alone.png").exists()
    for more in ("--hole_suffix=_mask", flags[0]):
        assert inpaint.main([f"--run={run}", flags[0], more, *flags[1:]]) == 1
        assert "give files of holes, or have them read from the photographs" in capsys.readouterr().err


def test_a_hole_grows_by_a_disc(run, erased, tmp_path, capsys):
    pixels, _ = erased
    point = np.zeros((29, 41), np.uint8)
    point[10, 20] = 255
    Image.fromarray(point).save(tmp_path / "hole.png")
    assert alone(run, tmp_path, "erased.png", str(tmp_path / "hole.png"), "--grow=5") == 0
    rows, columns = np.mgrid[:29, :41]
    disc = np.hypot(rows - 10, columns - 20) <= 5
    filled = np.asarray(Image.open(tmp_path / "filled.png"))
    np.testing.assert_array_equal(filled[~disc], pixels[~disc])
    assert (filled[disc][:, 3] == 255).all()
    assert alone(run, tmp_path, "erased.png", str(tmp_path / "hole.png"), "--grow=-1") == 1
    assert "error: --grow is a whole number from 0 on, not -1" in capsys.readouterr().err
