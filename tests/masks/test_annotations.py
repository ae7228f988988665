"""Holes and label maps drawn from annotations, against shapes that are known by hand."""

import base64
import io
import json

import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.commands.prepare import main
from scan_jax.data.api import open_data
from scan_jax.images.hole import read_hole
from scan_jax.images.labels import read_labels
from scan_jax.masks.draw_annotations import draw_holes
from scan_jax.masks.outlines import fill_polygon

HEIGHT, WIDTH = 30, 40
SQUARE = [[10, 10], [20, 10], [20, 20], [10, 20]]
BOX = np.zeros((HEIGHT, WIDTH), bool)
BOX[10:20, 10:20] = True
LEFT = np.zeros((HEIGHT, WIDTH), bool)
LEFT[:, :3] = LEFT[5:9, 30:] = True
# Down the columns: what is outside and what is in turn, by hand. The text is what pycocotools 2.0.11 makes of them.
RUNS = [0, 90, 815, 4, *[26, 4] * 9, 21]
PACKED = "0j2_i0ZM[WO00000000000000000K"


def flat(points):
    return np.ravel(points).tolist()


def coco(folder, *shapes, **changed):
    """Photographs 0.png, 1.png... with a shape each, even ones of persons, odd ones of dogs."""
    for i in range(len(shapes)):
        miniatures.write(folder / "in" / f"{i}.png", miniatures.photograph(i, HEIGHT, WIDTH))
    images = [{"id": i, "file_name": f"{i}.png", "height": HEIGHT, "width": WIDTH} for i in range(len(shapes))]
    content = {
        "images": images,
        "categories": [{"id": 7, "name": "person"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"image_id": i, "category_id": (7, 9)[i % 2], "segmentation": shape} for i, shape in enumerate(shapes)
        ],
    }
    return write_json(folder / "coco.json", content | changed)


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def drawn(source, photographs, out, **options):
    draw_holes(source, photographs, out, **options)
    return {path.relative_to(out).as_posix(): read_hole(path) for path in out.rglob("*.png")}


@pytest.mark.parametrize("offset", [0, 0.25, 0.4])
def test_polygons_have_the_pixels_whose_centres_they_hold(offset):
    np.testing.assert_array_equal(fill_polygon(np.asarray(SQUARE) + offset, HEIGHT, WIDTH), BOX)
    np.testing.assert_array_equal(fill_polygon(np.asarray(SQUARE)[::-1] + offset, HEIGHT, WIDTH), BOX)
    triangle = fill_polygon(np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 30.0]]), HEIGHT, WIDTH)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    np.testing.assert_array_equal(triangle, rows / 30 + columns / 40 < 1)
    np.testing.assert_array_equal(fill_polygon(np.array([[-9, -9], [90, -9], [90, 90], [-9, 90.0]]), 3, 4), True)
    assert not fill_polygon(np.array([[50.0, 5.0], [60.0, 5.0], [60.0, 9.0]]), HEIGHT, WIDTH).any()


def test_coco_polygons_and_both_kinds_of_runs(tmp_path):
    shapes = [[flat(SQUARE), flat(np.asarray(SQUARE) + 8)], *({"size": [30, 40], "counts": c} for c in (RUNS, PACKED))]
    holes = drawn(coco(tmp_path, *shapes), tmp_path / "in", tmp_path / "out")
    assert sorted(holes) == ["0.png", "1.png", "2.png"]
    np.testing.assert_array_equal(holes["0.png"], BOX | np.roll(BOX, (8, 8), (0, 1)))
    np.testing.assert_array_equal(holes["1.png"], LEFT)
    np.testing.assert_array_equal(holes["2.png"], LEFT)


def test_one_category_grown_by_the_command(tmp_path, capsys):
    source, out = coco(tmp_path, *[[flat(SQUARE)]] * 3), tmp_path / "out"
    argv = ["holes", f"--out={out}", f"--from={source}", f"--images={tmp_path / 'in'}", "--category=person", "--grow=2"]
    assert main(argv) == 0
    assert miniatures.files_below(out) == ["0.png", "2.png"]
    rows, columns = np.nonzero(BOX)
    near = np.min(np.hypot(*(np.mgrid[:HEIGHT, :WIDTH][..., None] - np.array([rows, columns])[:, None, None])), -1) <= 2
    np.testing.assert_array_equal(read_hole(out / "0.png"), near)
    assert main(argv) == 1 and "is not empty" in capsys.readouterr().err
    assert main(["holes", f"--out={tmp_path / 'x'}", "--grow=2"]) == 1 and "go with --from" in capsys.readouterr().err


def test_the_shapes_of_labelme(tmp_path):
    patch = io.BytesIO()
    Image.fromarray(np.full((4, 3), 255, np.uint8)).save(patch, "png")
    shapes = {
        "polygon": {"points": SQUARE},
        "rectangle": {"points": [[20, 20], [10, 10]]},
        "circle": {"points": [[15, 15], [15, 20]]},
        "mask": {"points": [[38, 28], [40, 31]], "mask": base64.b64encode(patch.getvalue()).decode()},
        "line": {"points": SQUARE[:2]},
    }
    for name, shape in shapes.items():
        miniatures.write(tmp_path / "in" / "a" / f"{name}.jpg", miniatures.photograph(0, HEIGHT, WIDTH))
        told = {"imagePath": f"{name}.jpg", "imageHeight": HEIGHT, "imageWidth": WIDTH}
        write_json(
            tmp_path / "in" / "a" / f"{name}.json", told | {"shapes": [shape | {"label": "x", "shape_type": name}]}
        )
    holes = drawn(tmp_path / "in", tmp_path / "in", tmp_path / "out")
    assert sorted(holes) == ["a/circle.png", "a/mask.png", "a/polygon.png", "a/rectangle.png"]
    np.testing.assert_array_equal(holes["a/polygon.png"], BOX)
    np.testing.assert_array_equal(holes["a/rectangle.png"], BOX)
    centres = np.mgrid[:HEIGHT, :WIDTH] + 0.5 - 15
    np.testing.assert_array_equal(holes["a/circle.png"], np.hypot(*centres) <= 5)
    np.testing.assert_array_equal(np.argwhere(holes["a/mask.png"]), [[28, 38], [28, 39], [29, 38], [29, 39]])


RUN = {"size": [HEIGHT, WIDTH], "counts": [5, 6]}
IMAGE = {"id": 0, "file_name": "0.png", "height": HEIGHT, "width": WIDTH}


@pytest.mark.parametrize(
    ("shape", "changed", "options", "complaint"),
    [
        (RUN, {}, {}, r"a region of 0\.png cannot be drawn: its runs are not of 40x30 pixels"),
        (RUN | {"counts": "0"}, {}, {}, r"cannot be drawn"),
        ([[1, 2, 3]], {}, {}, r"is not as COCO has it"),
        ([], {}, {}, r"outlines nothing in any of 1 photographs"),
        ([flat(SQUARE)], {}, {"categories": ["persn"]}, r"outlines no 'persn'.*person.*; there: person, dog"),
        ([flat(SQUARE)], {"images": [IMAGE | {"file_name": "../0.png"}]}, {}, r"leads out of the folder"),
        ([flat(SQUARE)], {"images": [IMAGE | {"height": 10**6, "width": 10**6}]}, {}, r"of 1000000x1000000 pixels"),
        ([flat(SQUARE)], {"images": [IMAGE | {"height": 31}]}, {}, r"0\.png is 40x30, but was annotated as 40x31"),
        (
            [flat(SQUARE)],
            {"images": [IMAGE | {"file_name": "x.png"}]},
            {},
            r"1 annotated photograph is not in .*x\.p",
        ),
        ([flat(SQUARE)], {"images": [IMAGE, IMAGE | {"id": 1}]}, {}, r"annotates several photographs called 0\.\*"),
        ([flat(SQUARE)], {"images": []}, {}, r"is not as COCO has it: KeyError 0"),
        ([flat(SQUARE)], {"annotations": 3}, {}, r"is not as COCO has it: TypeError"),
    ],
)
def test_annotations_that_make_no_sense_leave_nothing(shape, changed, options, complaint, tmp_path):
    source = coco(tmp_path, shape, **changed)
    with miniatures.refuses(complaint, tmp_path):
        draw_holes(source, tmp_path / "in", tmp_path / "out", **options)


@pytest.mark.parametrize("content", ["", "[]", "[3]", '{"a": 1}', "[" * 10**5])
def test_json_of_other_kinds(content, tmp_path):
    (tmp_path / "x.json").write_text(content)
    with miniatures.refuses(r"cannot read the annotations|neither the `annotations` of COCO or Segment"):
        draw_holes(tmp_path / "x.json", tmp_path, tmp_path / "out")


def label_map(path, *layers):
    """A palette PNG whose pixels have a value where a layer (value, bool [H,W]) lies, the last on top."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    for value, inside in layers:
        values[inside] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values, "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.save(path)


def one_of_each_kind(folder):
    """(source, the file's square as a hole) for a photograph in/a/7.jpg, its square outlined in each way."""
    miniatures.write(folder / "in" / "a" / "7.jpg", miniatures.photograph(0, HEIGHT, WIDTH))
    box = {"size": [HEIGHT, WIDTH], "counts": [310, *[10, 20] * 9, 10, 610]}
    about = {"image_id": 7, "width": WIDTH, "height": HEIGHT, "file_name": "7.jpg"}
    yield write_json(folder / "sa" / "a" / "7.json", {"image": about, "annotations": [{"segmentation": box}]}).parents[
        1
    ]
    yield write_json(folder / "generator" / "a" / "7.json", [{"segmentation": box, "area": 100}]).parents[1]
    starts = " ".join(f"{311 + 30 * i} 10" for i in range(10))
    table = folder / "train.csv"
    table.write_text(f"ImageId,EncodedPixels,ClassId\na/7,{starts},3\na/8.jpg,,\n", encoding="utf-8-sig")
    yield table
    label_map(folder / "SegmentationClass" / "a" / "7.png", (255, LEFT), (2, BOX))
    yield folder / "SegmentationClass"


def test_every_other_kind_outlines_the_same(tmp_path):
    for source in one_of_each_kind(tmp_path):
        whole = LEFT | BOX if source.name == "SegmentationClass" else BOX  # the last has a second class
        holes = drawn(source, tmp_path / "in", tmp_path / "out" / source.name)
        assert list(holes) == ["a/7.png"]
        np.testing.assert_array_equal(holes["a/7.png"], whole)
    one = drawn(source, tmp_path / "in", tmp_path / "one", categories=["2"])
    np.testing.assert_array_equal(one["a/7.png"], BOX)
    (tmp_path / "class_names.txt").write_text("__ignore__\n_background_\nsky\nroad\n")
    named = drawn(source, tmp_path / "in", tmp_path / "named", categories=["road"])
    np.testing.assert_array_equal(named["a/7.png"], BOX)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("ImageId,Pixels\n7,1 2\n", r"no column of runs \(EncodedPixels\); its columns: ImageId, Pixels"),
        ("", r"no column of a photograph's name \(image_id\); its columns: none"),
        ("image,rle\na/7,1 2 3\n", r"line 2: its runs are no pairs of numbers"),
        ("image,rle\na/7,0 2\n", r"a region of a/7\.jpg cannot be drawn: its runs are not of 40x30"),
        ("image,rle\na/7,1200 2\n", r"cannot be drawn: its runs are not of 40x30"),
        ("image,rle\n../7.jpg,1 2\n", r"leads out of the folder"),
        ("image,rle\nb,1 2\n", r"1 annotated photograph is not in"),
    ],
)
def test_tables_that_make_no_sense_leave_nothing(content, complaint, tmp_path):
    list(one_of_each_kind(tmp_path))
    (tmp_path / "train.csv").write_text(content)
    with miniatures.refuses(complaint, tmp_path):
        draw_holes(tmp_path / "train.csv", tmp_path / "in", tmp_path / "out")


def test_label_maps_of_coco_can_be_trained_on(tmp_path, caplog):
    caplog.set_level("INFO")
    shapes = [[flat(SQUARE)], {"size": [HEIGHT, WIDTH], "counts": RUNS}, []]
    source, out = coco(tmp_path, *shapes), tmp_path / "out"
    content = json.loads(source.read_text())
    content["annotations"].append({"image_id": 0, "category_id": 9, "segmentation": [[12, 12, 30, 12, 30, 14, 12, 14]]})
    content["categories"].append({"id": 11, "name": "cat"})
    write_json(source, content)
    given = [f"--from={source}", f"--images={tmp_path / 'in'}"]
    assert main(["labels", f"--out={out}", *given]) == 0
    assert "0 background, 1 person, 2 dog, 3 cat" in caplog.text
    assert "in 1 photograph regions of different classes overlap" in caplog.text
    splits = open_data({"name": "labelled_folder", "path": str(out), "num_labels": 4, "held_out": 1, "size": 16})
    assert (len(splits.train), len(splits.held_out)) == (2, 1)
    strip = np.zeros((HEIGHT, WIDTH), bool)
    strip[12:14, 12:30] = True
    first, second, third = (read_labels(out / "labels" / f"{i}.png") for i in range(3))
    np.testing.assert_array_equal(first, np.where(strip, 2, BOX.astype(int)))
    np.testing.assert_array_equal(second, 2 * LEFT)
    assert not third.any()
    assert (out / "images" / "1.png").read_bytes() == (tmp_path / "in" / "1.png").read_bytes()
    assert (
        main(["labels", f"--out={out}2", f"--from={source}", f"--images={tmp_path / 'in'}", "--category", "dog"]) == 0
    )
    np.testing.assert_array_equal(read_labels(tmp_path / "out2" / "labels" / "0.png"), strip)
