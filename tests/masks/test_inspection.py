"""The doctor's verdicts on sets that the tests make."""

import itertools
from pathlib import Path

import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.core.split_folders import evenly_spaced
from scan_jax.images import hole as hole_image
from scan_jax.images.contact_sheet import TINT
from scan_jax.masks import frozen_set
from scan_jax.masks.api import open_holes
from scan_jax.masks.inspection import inspect
from scan_jax.masks.ratio import BUCKETS_FROM_ZERO


def examine(folder, hole_color="white", photographs=None, sheet=None):
    return inspect(folder, hole_color=hole_color, photographs=photographs, sheet=sheet)


def save(array, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def bars(folder, *rows, size=20, ground=0):
    """A mask for each number of white rows; the others are black, or as they are said to be."""
    for i, count in enumerate(rows):
        grey = np.full((size, size), ground, np.uint8)
        grey[:count] = 255
        save(grey, folder / f"{i}.png")


@pytest.fixture(scope="module")
def holes():
    """Four strokes for each bucket, bool [24,64,64]."""
    source = open_holes({"name": "strokes", "ratio": (0.0, 0.6)}).held_out
    return np.concatenate([source.fixed(64, bucket, 4, seed=0) for bucket in BUCKETS_FROM_ZERO])


@pytest.fixture
def clean(holes, tmp_path):
    for i, hole in enumerate(holes):
        save(np.uint8(255) * hole, tmp_path / "masks" / f"{i:02}.png")
    return tmp_path / "masks"


EVERY_BUCKET = {bucket.label: 4 for bucket in BUCKETS_FROM_ZERO}


def sizes(report):
    return {label: len(files) for label, files in report.groups.items() if files}


def test_a_clean_set_has_no_problem(clean):
    report = examine(clean)
    assert report.problems == ()
    assert report.polarity.hole == "white"
    assert sizes(report) == EVERY_BUCKET
    text = report.text()
    assert text.startswith(f"{clean}: 24 mask files, 64x64\npolarity: white is hole\n")
    assert "grey: none" in text
    assert "duplicates: 0\nunreadable: 0\nno problems found" in text
    assert "   10-20%      4 ####" in text
    (problem,) = examine(clean, "black").problems
    assert "black is taken for hole, but white looks like it" in problem


def test_an_inverted_set_is_recognised_and_hole_color_puts_it_right(holes, tmp_path):
    for i, hole in enumerate(holes):
        save(np.uint8(255) * ~hole, tmp_path / f"{i}.png")
    report = examine(tmp_path)
    assert report.polarity.hole == "black"
    (problem,) = report.problems
    assert "look inverted: white is taken for hole, but black looks like it" in problem
    assert problem.endswith("set hole_color=black")
    right = examine(tmp_path, "black")
    assert (right.problems, sizes(right)) == ((), EVERY_BUCKET)


def test_the_evidence_is_what_the_pixels_say(tmp_path):
    grey = np.zeros((128, 128), np.uint8)
    grey[16:48, 16:48] = grey[80:112, 16:48] = 255  # two boxes
    grey[:, 64:66] = 255  # and a line that cuts the black in two
    save(grey, tmp_path / "a.png")
    (file,) = examine(tmp_path).files
    assert (file.white, file.above_zero, file.grey) == ((2 * 32**2 + 256) / 128**2,) * 2 + (0.0,)
    assert file.frame == 4 / (4 * 127)
    assert (file.white_pieces, file.black_pieces) == (3, 2)


@pytest.mark.parametrize(("name", "group"), [("border", 2), ("border", 4), ("half", 4)])
def test_frames_and_halves_cannot_be_told(name, group, tmp_path):
    source = open_holes({"name": name}).held_out
    for i, hole in enumerate(source.fixed(32, BUCKETS_FROM_ZERO[group], 4, seed=0)):
        for color, shown in (("white", hole), ("black", ~hole)):
            save(np.uint8(255) * shown, tmp_path / color / f"{i}.png")
    for color in ("white", "black"):
        report = examine(tmp_path / color, color)
        assert report.polarity.hole == ""
        assert "polarity: cannot tell" in report.text()
        assert not any("inverted" in problem for problem in report.problems)


@pytest.mark.parametrize("name", ["free_form", "rectangles", "mixture"])
@pytest.mark.parametrize("color", ["white", "black"])
def test_the_other_generators_can_be_told(name, color, tmp_path):
    source = open_holes({"name": name}).held_out
    rng = np.random.default_rng(0)
    for i in range(20):
        save(np.uint8(255) * (source.draw(rng, 32) == (color == "white")), tmp_path / f"{i}.png")
    assert examine(tmp_path, color).polarity.hole == color


def test_jpeg_masks_are_grey(holes, tmp_path):
    for i, hole in enumerate(holes):
        save(np.uint8(255) * hole, tmp_path / f"{i}.jpg", quality=60)
    report = examine(tmp_path)
    share = np.mean([(grey > 0) & (grey < 255) for grey in (hole_image.read_grey(f.file) for f in report.files)])
    assert share > 0.01
    (problem,) = report.problems
    assert problem.startswith(f"{share:.2%} of the pixels are neither black nor white")
    assert f"GREY: {share:.2%} of the pixels" in report.text()


def test_a_folder_of_photographs_is_doubted(tmp_path):
    for i in range(3):
        save(miniatures.photograph(i), tmp_path / f"{i}.jpg")
        (tmp_path / f"{i}.json").touch()
    report = examine(tmp_path)
    assert report.polarity.hole == "" and "polarity: cannot tell (most pixels are neither" in report.text()
    doubt, unread = report.problems
    assert "of the pixels are greys or colours: these look like photographs or label maps" in doubt
    assert unread == "3 .json files are not read as masks; save them as PNGs"


def test_what_a_cut_at_zero_would_do_to_grey_masks(tmp_path):
    for i, grey_rows in enumerate((2, 4)):
        grey = np.zeros((20, 20), np.uint8)
        grey[:4] = 255
        grey[4 : 4 + grey_rows] = 100
        save(grey, tmp_path / f"{i}.png")
    report = examine(tmp_path)
    assert "GREY: 15.00% of the pixels are neither 0 nor 255" in report.text()
    assert "white takes 15.00% more of an image on average, 20.00% at most" in report.text()
    assert sizes(report) == {"10-20%": 2}  # 4 of 20 rows: lower-open buckets


def test_a_trace_of_grey_is_no_problem(clean):
    grey = np.zeros((64, 64), np.uint8)
    grey[:9] = 255
    grey[0, :60] = 254  # 60 of 25 * 4096
    save(grey, clean / "trace.png")
    report = examine(clean)
    assert report.problems == ()
    assert "grey: 0.06% of the pixels" in report.text()


@pytest.mark.parametrize(
    ("rows", "name", "group", "other"), [(16, "white", "all hole", "empty"), (0, "black", "empty", "all hole")]
)
def test_sets_of_one_colour(rows, name, group, other, tmp_path):
    bars(tmp_path, rows, rows, rows, size=16)
    report = examine(tmp_path)
    assert sizes(report) == {group: 3}
    assert report.polarity.hole == ""
    assert "cannot tell (no file has both black and white)" in report.text()
    (problem,) = report.problems
    assert problem.startswith(f"3 of 3 files are all {name}")
    assert problem.endswith("remove them")
    assert sizes(examine(tmp_path, "black")) == {other: 3}


def test_more_than_sixty_percent_has_its_own_group(tmp_path):
    bars(tmp_path / "deep" / "er", 12, 13, 19)  # masks at any depth, whatever the case of their names
    (tmp_path / "deep" / "er" / "1.png").rename(tmp_path / "1.PNG")
    assert sizes(examine(tmp_path)) == {"50-60%": 1, "over 60%": 2}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # Pillow's own, from 89 million pixels on
def test_unreadable_files_are_listed_with_their_reasons(clean):
    miniatures.write_bomb(clean / "huge.png", 12_000, 12_501)
    whole = (clean / "05.png").read_bytes()
    (clean / "05.png").write_bytes(whole[: len(whole) // 2])
    (clean / "06.png").write_bytes(b"")
    (clean / "07.png").write_text("not a picture")
    report = examine(clean)
    reasons = {bad.file.name: bad.reason for bad in report.unreadable}
    assert "truncated" in reasons.pop("05.png")
    assert reasons == {
        "06.png": "the file is empty",
        "07.png": "it is no image, or of a kind that is not known here",
        "huge.png": "12000x12501 pixels are more than the 150 million that are read",
    }
    assert report.problems[0].startswith("4 of 25 files cannot be read, such as 05.png (")
    assert "unreadable: 4\n  05.png: " in report.text()
    assert len(report.files) == 21


def test_repeated_pixels_are_counted(clean):
    (clean / "again.png").write_bytes((clean / "03.png").read_bytes())
    save(np.repeat(np.asarray(hole_image.read_grey(clean / "03.png"))[..., None], 3, axis=2), clean / "deeper.png")
    report = examine(clean)
    assert "duplicates: 2" in report.text()
    assert "2 of 26 files repeat the pixels of an earlier one, such as 03.png and again.png" in report.problems[0]


def test_uneven_sizes_and_kinds_that_are_not_read_are_said(clean):
    save(np.uint8(255) * (np.mgrid[:30, :40][0] < 5), clean / "wide.png")
    save(hole_image.read_grey(clean / "03.png"), clean / "more.bmp")
    np.save(clean / "array.npy", np.zeros((64, 64)))
    (clean / "notes.txt").write_text("mine")
    (clean / ".hidden.png").write_text("")
    report = examine(clean)
    assert "26 mask files, 64x64 (25), 40x30 (1)" in report.text()
    repeated, unread = report.problems  # that one is not square is none
    assert "more.bmp" in repeated
    assert unread == "1 .npy file is not read as masks; save them as PNGs"


def test_an_index_names_the_masks_and_may_name_missing_ones(clean):
    (clean / "index.csv").write_text("file,note\n02.png,a\n01.png,b\nlost.png,c\n")
    report = examine(clean)
    assert [file.file.name for file in report.files] == ["02.png", "01.png"]
    assert [(bad.file.name, bad.reason) for bad in report.unreadable] == [("lost.png", "there is no such file")]
    assert "22 images are not in index.csv" in report.problems[-1]
    (clean / "index.csv").write_bytes(b"\xff\xfe\x00file\n")
    with pytest.raises(UserError, match=r"cannot read .*index\.csv"):
        examine(clean)


def photograph(path, level=40):
    save(np.full((50, 40, 3), level, np.uint8), path)


def test_masks_and_photographs_without_their_partners(clean, tmp_path):
    photos = tmp_path / "photos"
    photograph(photos / "alone.jpeg")
    (problem,) = examine(clean, photographs=photos).problems
    assert problem.startswith("no mask has a photograph's name")
    for i in range(2, 24):
        photograph(photos / "x" / f"{i:02}.jpg")
    report = examine(clean, photographs=photos)
    assert len(report.pairing.photograph_of) == 22
    assert report.problems == (
        "2 masks have no photograph, such as 00.png; add 00.*, or remove them",
        "1 photograph has no mask, such as alone.jpeg; add alone.png or alone_mask.png, or remove them",
    )
    assert "pairs: 22 masks have their photograph; 2 masks and 1 photograph alone" in report.text()


def test_masks_named_after_their_photographs_in_the_same_folder(holes, tmp_path):
    for i in range(7):
        photograph(tmp_path / f"{i}.png")
    for i, ending in itertools.product(range(6), ("_mask", "_mask001")):
        save(np.uint8(255) * holes[2 * i + (ending == "_mask")], tmp_path / f"{i}{ending}.png")
    report = examine(tmp_path, photographs=tmp_path)
    assert len(report.files) == 12
    assert report.pairing.photograph_of[tmp_path / "3_mask001.png"] == tmp_path / "3.png"
    assert [path.name for path in report.pairing.photographs_alone] == ["6.png"]
    dark, together, *_ = examine(tmp_path).problems
    assert dark.startswith("7 of 19 files cannot be read, such as 0.png (its brightest value is 40, but white is 1")
    assert together.startswith("12 of 19 files are called NAME_mask*")


def test_the_sheet_shows_a_few_of_each_group_tinted(tmp_path):
    bars(tmp_path / "masks", 13, 26, 39, size=128)  # 10.2%, 20.3%, 30.5%
    photograph(tmp_path / "photos" / "1.png")
    (tmp_path / "photos" / "2.png").write_bytes(b"damaged")
    examine(tmp_path / "masks", photographs=tmp_path / "photos", sheet=tmp_path / "out" / "sheet.png")
    with Image.open(tmp_path / "out" / "sheet.png") as image:
        (width, height), sheet = image.size, image.convert("RGB")
    left, top, cell = width - 132, height - 3 * 132, 132
    tint = tuple(round(255 * value) for value in TINT)
    for row in range(3):
        assert sheet.getpixel((left + 64, top + row * cell + 6)) == tint
        known = sheet.getpixel((left + 64, top + row * cell + 100))
        assert (known == (40, 40, 40)) == (row == 1)  # the photograph, elsewhere the backdrop
        assert known != tint
    files = [Path(str(i)) for i in range(20)]
    assert [int(path.name) for path in evenly_spaced(files, 4)] == [0, 5, 10, 15]
    assert evenly_spaced(files[:3], 4) == files[:3]


def test_frozen_sets_are_checked(tmp_path):
    frozen_set.write({"name": "strokes"}, tmp_path / "set", size=32, edges=(0.1, 0.2, 0.3), per_bucket=5, seed=1)
    report = examine(tmp_path / "set")
    assert report.problems == ()
    assert "a frozen set (strokes, seed 1, digest " in report.text()
    frozen_set.write({"name": "half"}, tmp_path / "halves", size=32, edges=(0.4, 0.5), per_bucket=9, seed=1)
    halves = examine(tmp_path / "halves")
    assert "duplicates: 5" in halves.text()
    assert halves.problems == ()  # they are as they were asked for
    file = tmp_path / "set" / "10-20_00002.png"
    save(hole_image.read_grey(file), file)  # the same pixels in other bytes
    (problem,) = examine(tmp_path / "set").problems
    assert "10-20_00002.png is not what manifest.json" in problem


def test_what_cannot_be_examined(tmp_path, clean):
    (tmp_path / "empty").mkdir()
    for arguments, match in (
        ({"folder": tmp_path / "nowhere"}, "no folder"),
        ({"folder": tmp_path / "empty"}, "no mask images"),
        ({"photographs": tmp_path / "nowhere"}, r"no folder .*photographs"),
        ({"photographs": tmp_path / "empty"}, "no photographs"),
        ({"hole_color": "blue"}, "hole_color must be white or black"),
    ):
        with pytest.raises(UserError, match=match):
            examine(**({"folder": clean} | arguments))
