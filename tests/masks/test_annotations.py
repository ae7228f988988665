"""Holes drawn from COCO's and labelme's annotations, against shapes that are known by hand."""

import base64
import io
import json

import miniatures
import numpy as np
import pytest
from PIL import Image

from scan_jax.commands.prepare import main
from scan_jax.images.hole import read_hole
from scan_jax.masks.annotations import draw_holes, fill_polygon

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
        ([[1, 2, 3]], {}, {}, r"is not as COCO describes"),
        ([], {}, {}, r"outlines nothing in any of 1 photographs"),
        ([flat(SQUARE)], {}, {"category": "persn"}, r"outlines no 'persn'.*person.*; there: person"),
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
        ([flat(SQUARE)], {"images": []}, {}, r"is not as COCO describes: KeyError 0"),
        ([flat(SQUARE)], {"annotations": 3}, {}, r"is not as COCO describes: TypeError"),
    ],
)
def test_annotations_that_make_no_sense_leave_nothing(shape, changed, options, complaint, tmp_path):
    source = coco(tmp_path, shape, **changed)
    with miniatures.refuses(complaint, tmp_path):
        draw_holes(source, tmp_path / "in", tmp_path / "out", **options)


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "[" * 10**5])
def test_json_of_other_kinds(content, tmp_path):
    (tmp_path / "x.json").write_text(content)
    with miniatures.refuses(r"cannot read the annotations|neither COCO's `annotations` nor labelme's"):
        draw_holes(tmp_path / "x.json", tmp_path, tmp_path / "out")
