"""Hole sets on disk: the same bytes everywhere, written whole or not at all, checked when read; and their PNG files."""

import csv
import errno
import hashlib
import json
import logging
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.images.hole import binarise, read_grey
from scan_jax.images.png import MAX_STORED, encode_hole
from scan_jax.masks import frozen_set
from scan_jax.masks import frozen_set as manifest
from scan_jax.masks.api import fixed_set, open_holes
from scan_jax.masks.ratio import Bucket, make_buckets

EDGES = (0.0, 0.1, 0.2, 0.4)
SETTINGS = {"size": 32, "edges": EDGES, "per_bucket": 3, "seed": 5}
# Of all files of the set that `write` makes here: numbers are quoted on such sets.
GOLDEN = {
    "free_form": "78fc6122810efe1b8bed095a51d51e0eab9c3b7ccb30ef8f92eb43c0fa6c3ccc",
    "strokes": "b39be8d265288bf45b3255212d62a22afa251c7e0635c6e7acaee60999ff6ce1",
    "rectangles": "8421c6a579cb99a6b8b527a78bc12a9dba3615e6d23a5d1f3e2454fc617feede",
}


def write(folder, name="rectangles", **changes):
    section = {"name": name, **changes.pop("section", {})}
    return frozen_set.write(section, folder, **{**SETTINGS, **changes})


def contents(folder):
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def rows(folder):
    with (folder / "index.csv").open() as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "set")
    return tmp_path / "set"


@pytest.mark.parametrize("name", GOLDEN)
def test_every_byte_is_the_same_on_every_machine(name, tmp_path):
    write(tmp_path / "set", name)
    write(tmp_path / "other name", name)
    files = contents(tmp_path / "set")
    assert files == contents(tmp_path / "other name")
    hasher = hashlib.sha256()
    for file, content in files.items():
        hasher.update(f"{file} {len(content)}\n".encode() + content)
    assert hasher.hexdigest() == GOLDEN[name]


def test_what_is_written_and_returned(tmp_path):
    (tmp_path / "set").mkdir()  # an empty folder is taken
    written = write(tmp_path / "set")
    assert written.counts == {"0-10%": 3, "10-20%": 3, "20-40%": 3}
    source = open_holes({"name": "rectangles", "ratio": (0.0, 0.4)}).held_out  # limited by the edges
    fixed = fixed_set(source, 32, make_buckets(EDGES), 3, seed=5)
    assert written.digest == fixed.digest
    index = rows(tmp_path / "set")
    assert list(index[0]) == ["file", "bucket", "ratio", "sha256"]
    holes = [hole for stack in fixed.holes.values() for hole in stack]
    for row, hole in zip(index, holes, strict=True):
        file = tmp_path / "set" / row["file"]
        np.testing.assert_array_equal(read_grey(file), 255 * hole)
        assert float(row["ratio"]) == round(hole.mean(), 6)
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row["sha256"]
    assert [row["bucket"] for row in index] == ["0-10%"] * 3 + ["10-20%"] * 3 + ["20-40%"] * 3
    said = json.loads((tmp_path / "set" / "manifest.json").read_text())
    wanted = {"format": "frozen holes", "version": 1, "generator": "rectangles", "settings": {"ratio": [0.0, 0.4]}}
    wanted |= {**SETTINGS, "edges": list(EDGES), "counts": written.counts, "files": 9, "digest": written.digest}
    index_sha256 = hashlib.sha256((tmp_path / "set" / "index.csv").read_bytes()).hexdigest()
    assert said == {**wanted, "index_sha256": index_sha256}
    assert len(contents(tmp_path / "set")) == 11


def test_the_sections_ratio_and_weights_count(tmp_path):
    written = write(tmp_path / "set", section={"ratio": (0.12, 0.15)}, edges=(0.1, 0.2))
    assert written.counts == {"10-20%": 3}
    assert all(0.12 < float(row["ratio"]) <= 0.15 for row in rows(tmp_path / "set"))
    write(tmp_path / "mix", "mixture", section={"weights": {"half": 1, "border": 0.5}}, edges=(0.4, 0.5), per_bucket=6)
    said = json.loads((tmp_path / "mix" / "manifest.json").read_text())
    assert said["settings"] == {"weights": {"half": 1.0, "border": 0.5}, "ratio": [0.4, 0.5], "parts": {}}
    assert sum(float(row["ratio"]) == 0.5 for row in rows(tmp_path / "mix")) == 4


def test_buckets_without_a_hole_are_said_and_none_at_all_is_an_error(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        written = write(tmp_path / "set", "half", edges=(0.1, 0.4, 0.5, 0.6), per_bucket=4)
    assert written.counts == {"40-50%": 4}
    said = [record.getMessage().split(":")[0] for record in caplog.records]
    assert said == ["no hole in bucket 10-40%", "no hole in bucket 50-60%"]
    with pytest.raises(UserError, match="takes 50%"):
        write(tmp_path / "none", "half", edges=(0.5, 0.6))
    with pytest.raises(UserError, match="no hole to evaluate on"):
        write(tmp_path / "none", "border", size=8, edges=(0.1, 0.3))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("color", ["white", "black"])  # frozen sets are white, whatever the config says of others
def test_the_folder_gives_back_the_same_holes(color, folder):
    section = {"name": "mask_folder", "path": str(folder), "held_out_path": str(folder), "hole_color": color}
    source = open_holes(section).held_out
    again = fixed_set(source, 32, make_buckets(EDGES), per_bucket=0)
    assert again.digest == manifest.load(folder).digest  # all of it, though ratios below 10% are no default
    assert source.limits == Bucket(0.0, 0.4)
    assert source.description == f"9 mask files of the frozen set set ({again.digest[:12]}), ratio (0, 0.4]"


@pytest.mark.parametrize("name", ["rectangles", "mixture"])
def test_any_source_can_be_measured_on_a_frozen_set(name, folder):
    splits = open_holes({"name": name, "ratio": (0.3, 0.5), "held_out_path": str(folder)})
    assert splits.train == open_holes({"name": name, "ratio": (0.3, 0.5)}).train
    again = fixed_set(splits.held_out, 32, make_buckets(EDGES), per_bucket=0)
    assert again.digest == manifest.load(folder).digest
    with pytest.raises(UserError, match=r"config\.holes\.held_out_path: no folder"):
        open_holes({"name": name, "held_out_path": str(folder / "nowhere")})


def test_the_same_set_is_left_alone(folder, caplog):
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    with caplog.at_level(logging.INFO):
        again = write(folder)
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    assert "is there already, 9 holes" in caplog.text
    assert again.digest == manifest.load(folder).digest


@pytest.mark.parametrize("changes", [{"seed": 6}, {"per_bucket": 2}, {"size": 16}, {"edges": (0.0, 0.1)}])
def test_another_set_is_not_overwritten(folder, changes):
    before = contents(folder)
    with pytest.raises(UserError, match="holds another set of holes"):
        write(folder, **changes)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["set"]


def test_a_folder_or_file_of_something_else_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen_set, "fixed_set", lambda *args: pytest.fail("drew holes"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_bytes(b"")
    (tmp_path / "file").write_text("")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "manifest.json").write_text('{"name": "an app"}')
    for name in ("photos", "file", "app"):
        with pytest.raises(UserError, match=f"{name} exists and is no frozen set"):
            write(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"per_bucket": 0}, "per_bucket must be 1 or more, not 0"),
        ({"size": 0}, "size must be 1 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"size": 2}, "no hole of 4 pixels"),
        ({"edges": (0.1,)}, "at least two edges"),
        ({"edges": (0.2, 0.1)}, "0 <= low < high"),
        ({"name": "rectangle"}, "did you mean 'rectangles'"),
        ({"section": {"ratios": (0.1, 0.2)}}, "did you mean 'ratio'"),
    ],
)
def test_senseless_sets_are_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        write(tmp_path / "set", **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_behind_when_writing_fails(tmp_path, monkeypatch, error):
    written, whole = [], Path.write_bytes

    def fail(path, content):
        written.append(path)
        if len(written) == 4:
            raise error
        return whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(UserError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        write(tmp_path / "set")
    assert len(written) == 4
    assert not list(tmp_path.iterdir())
    if isinstance(error, OSError):
        assert str(caught.value).endswith("set: No space left on device; free some space or choose another place")


def read(folder):
    return open_holes({"name": "mask_folder", "path": str(folder)})


def refused(match, *acts):
    for act in acts:
        with pytest.raises(UserError, match=match):
            act()


def test_changed_and_missing_files_are_named(folder):
    acts = (lambda: read(folder), lambda: write(folder))
    file = folder / "10-20_00001.png"
    file.write_bytes(file.read_bytes()[:-20])
    refused(r"10-20_00001\.png is not what manifest\.json was written for", *acts)
    file.unlink()
    refused(r"10-20_00001\.png is missing", *acts)
    index = folder / "index.csv"
    index.write_bytes(index.read_bytes().replace(b"0-10_00000.png", b"0-10_00001.png"))
    refused(r"index\.csv is not what manifest\.json", acts[0])
    index.unlink()
    refused(r"index\.csv is missing", acts[0])


def test_damaged_later_and_foreign_manifests(folder):
    path = folder / "manifest.json"
    whole = path.read_text()
    path.write_text(whole[:50])
    refused(r"manifest\.json is no JSON", lambda: read(folder))
    path.write_text(whole.replace('"version": 1', '"version": 2'))
    refused("has version 2, not 1", lambda: read(folder))
    path.write_text('["another program\'s"]')
    (folder / "index.csv").unlink()
    assert "frozen" not in read(folder).train.description


# Hashes of the bytes that were once written: sets on users' disks have them.
PNGS = {
    (5, 13): "73f0a61076627b2d0bcdfb62cfd6f4edf115515e4b07fe1bed7f923b82abae7f",
    (64, 64): "7cf2492d9e6305f9173cef1bbe1c0acc8a3d5b3dfe5acf489af3ee2b0803ee9b",
    (800, 801): "e5c96f1579372b9bce9b44b958b177b1aabc643a797a89859cc54b49d15e454b",
}


def pattern(height, width):
    """Anything but regular, and free of random number generators."""
    y, x = np.mgrid[:height, :width]
    return (x * x + 3 * y * y + x * y) % 7 < 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (8, 1), (31, 256), *PNGS])
def test_the_bytes_are_the_same_on_every_machine_and_all_read_the_same_hole(shape, tmp_path):
    hole, file = pattern(*shape), tmp_path / "hole.png"
    file.write_bytes(encode_hole(hole))
    if shape in PNGS:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == PNGS[shape]
    with Image.open(file) as image:
        image.verify()
    with Image.open(file) as image:
        assert image.size == shape[::-1]
        np.testing.assert_array_equal(np.asarray(image.convert("L")), 255 * hole)
    np.testing.assert_array_equal(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), 255 * hole)
    np.testing.assert_array_equal(cv2.imread(str(file))[..., 2], 255 * hole)
    np.testing.assert_array_equal(binarise(read_grey(file)), hole)


def test_the_data_is_a_zlib_stream_of_more_than_one_block():
    hole = pattern(800, 801)
    file = encode_hole(hole)
    start = file.index(b"IDAT") + 4
    length = int.from_bytes(file[start - 8 : start - 4], "big")
    scanlines = np.frombuffer(zlib.decompress(file[start : start + length]), np.uint8).reshape(800, 1 + 101)
    assert scanlines.size > MAX_STORED
    assert (scanlines[:, 0] == 0).all()
    np.testing.assert_array_equal(np.unpackbits(scanlines[:, 1:], axis=1)[:, :801], hole)


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((0, 4), bool), np.zeros((1, 4, 4), bool)])
def test_what_is_no_hole_is_refused(array):
    with pytest.raises(ValueError, match="bool"):
        encode_hole(array)
