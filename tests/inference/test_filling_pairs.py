"""Which files of folders belong together, and where results go."""

import os
from pathlib import Path

import pytest

from scan_jax.core.errors import UserError
from scan_jax.images.pairs import Pair, check_folder, check_places, in_folder, list_images, match


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def found(matched):
    return [(pair.name, pair.hole.name, pair.labels.name if pair.labels else None) for pair in matched.pairs]


def test_files_match_by_their_path_but_for_the_suffix(tmp_path):
    photographs = touch(tmp_path / "photos", "b.JPG", "a.png", "paris/a.webp", "notes.txt", ".hidden.png", ".x/c.png")
    holes = touch(tmp_path / "holes", "a.png", "b.png", "paris/a.tif")
    labels = touch(tmp_path / "labels", "a.png", "b.png", "paris/a.png", "more.png")
    matched = match(photographs, holes, labels)
    assert [(pair.name, pair.hole, pair.labels) for pair in matched.pairs] == [
        ("a.png", holes / "a.png", labels / "a.png"),
        ("b.JPG", holes / "b.png", labels / "b.png"),
        ("paris/a.webp", holes / "paris/a.tif", labels / "paris/a.png"),
    ]
    assert str(matched) == "3 photographs, 3 holes, 0 unmatched"


def test_one_hole_and_one_label_map_for_all(tmp_path):
    photographs = touch(tmp_path / "photographs", "a.png", "b.jpg", "hole.png", "labels.png")
    matched = match(photographs, photographs / "hole.png", photographs / "labels.png")
    assert found(matched) == [("a.png", "hole.png", "labels.png"), ("b.jpg", "hole.png", "labels.png")]
    assert str(matched) == "2 photographs, 1 hole, 0 unmatched"
    matched = match(photographs / "a.png", touch(tmp_path / "holes", "a.png", "b.png", "b.jpg"))
    assert found(matched) == [("a.png", "a.png", None)] and str(matched) == "1 photograph, 1 hole, 0 unmatched"


@pytest.mark.parametrize("apart", [False, True])
def test_holes_with_a_suffix(tmp_path, apart):
    photographs = touch(tmp_path / "one", "a.jpg", "b.png", "deep/c.png", "d_masked.png")
    holes = tmp_path / "holes" if apart else photographs
    touch(holes, "a_mask.png", "b_mask001.png", "deep/c_mask.png", "d_masked_mask.png")
    matched = match(photographs, holes if apart else None, hole_suffix="_mask")
    assert found(matched) == [
        ("a.jpg", "a_mask.png", None),
        ("b.png", "b_mask001.png", None),
        ("d_masked.png", "d_masked_mask.png", None),
        ("deep/c.png", "c_mask.png", None),
    ]
    matched = match(photographs / "b.png", holes if apart else None, hole_suffix="_mask")
    assert found(matched) == [("b.png", "b_mask001.png", None)]


def test_what_does_not_match_is_counted_and_named(tmp_path):
    photographs = touch(tmp_path / "photographs", *(f"{n}.png" for n in range(9)))
    holes = touch(tmp_path / "holes", "0.png", "1.png", "other.png")
    labels = touch(tmp_path / "labels", "0.png")
    matched = match(photographs, holes, labels)
    assert found(matched) == [("0.png", "0.png", "0.png")]
    assert str(matched) == (
        "9 photographs, 3 holes, 9 unmatched: 1.png (no label map), 2.png (no hole), 3.png (no hole), 4.png (no hole), "
        "5.png (no hole), ..."
    )
    assert matched.unmatched[-1] == "other.png (a hole without a photograph)"


def test_what_is_refused(tmp_path):
    photographs = touch(tmp_path / "photographs", "a.png", "b.png")

    def beside(folder, *names):
        return touch(tmp_path / folder, *names)

    for message, arguments in (
        ("cannot read the photograph .*nowhere: there is no such file or folder", (tmp_path / "nowhere", photographs)),
        ("cannot read the hole .*none.png: there is no such", (photographs, tmp_path / "none.png")),
        ("0 photographs in .*empty; names end in one of .png", (beside("empty", "a.txt"), photographs)),
        ("0 photographs in .*only but 1 hole", (beside("only", "a_mask.png"), None, None, "_mask")),
        ("give the hole, or --hole_suffix", (photographs, None)),
        ("are both in .*photographs; tell them apart with --hole_suffix", (photographs, photographs)),
        ("2 photographs, 0 holes, 2 unmatched: a.png", (photographs, None, None, "_mask")),
        (
            "3 holes for one photograph in .*holes: a.jpg, a.png, a.tif; leave one",
            (photographs, beside("holes", "a.png", "a.jpg", "a.tif", "b.png")),
        ),
        (
            "2 holes for one photograph in .*lama: a_mask001.png, a_mask002.png",
            (photographs, beside("lama", "a_mask001.png", "a_mask002.png"), None, "_mask"),
        ),
        (
            "2 label maps for one photograph",
            (photographs, beside("fine", "a.png", "b.png"), beside("maps", "a.png", "a.tif", "b.png")),
        ),
    ):
        with pytest.raises(UserError, match=message) as caught:
            match(*arguments[:3], hole_suffix="".join(arguments[3:]))
        assert "\n" not in str(caught.value)


def test_folders_within_folders(tmp_path):
    """Holes, label maps and earlier outputs may lie among the photographs; they are none themselves."""
    for folder in ("", "holes", "labels", "filled"):
        touch(tmp_path / folder, "a.png", "more/b.png")
    matched = match(tmp_path, tmp_path / "holes", tmp_path / "labels", leave_out=[tmp_path / "filled"])
    assert found(matched) == [("a.png", "a.png", "a.png"), ("more/b.png", "b.png", "b.png")]
    os.symlink(tmp_path, tmp_path / "more" / "again")  # links that lead in circles end
    assert "more/again/a.png" not in list_images(tmp_path)


def pairs(*names):
    return [Pair(name, Path("in") / name, Path("hole.png")) for name in names]


def test_outputs_keep_folders_and_formats(tmp_path):
    out = tmp_path / "out"
    wanted = [out / name for name in ("a.JPG", "x/b.tiff", "c.png", "d.e.png")]
    assert in_folder(pairs("a.JPG", "x/b.tiff", "c.bmp", "d.e.gif"), out) == wanted
    assert in_folder(pairs("a.JPG", "x/b.tiff"), out, "webp") == [out / "a.webp", out / "x/b.webp"]
    with pytest.raises(UserError, match=r"a\.jpg and a\.png would both be written to .*a\.png"):
        in_folder(pairs("a.jpg", "a.png"), out, "png")
    touch(tmp_path, "file.png")
    with pytest.raises(UserError, match=r"is a file; give a folder"):
        in_folder(pairs("a.jpg"), tmp_path / "file.png")


def test_nothing_that_is_read_is_written_over(tmp_path):
    touch(tmp_path, "in/a.png", "in/hole.png")
    inputs = [tmp_path / "in/a.png", tmp_path / "in/hole.png", None, tmp_path / "none.png"]
    check_places([tmp_path / "out/a.png"], inputs)
    os.symlink(tmp_path / "in", tmp_path / "link")
    os.link(tmp_path / "in/a.png", tmp_path / "same.png")
    for output in ("in/a.png", "in/hole.png", "link/a.png", "in/../in/a.png", "same.png"):
        with pytest.raises(UserError, match="would be written over"):
            check_places([tmp_path / output], inputs)
    with pytest.raises(UserError, match=r"must end in one of \.png"):
        check_places([tmp_path / "a.gif"], inputs)
    with pytest.raises(UserError, match="is a folder of what is read"):
        check_folder(tmp_path / "link", [None, tmp_path / "in"])
    check_folder(tmp_path / "in/filled", [tmp_path / "in"])
