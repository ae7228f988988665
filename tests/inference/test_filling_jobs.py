"""Photograph after photograph: what becomes of each, what is said, and what a program can read of it."""

import dataclasses
import json
import logging

import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.images.pairs import Matched, Pair
from scan_jax.inference.batch import Job, fill_all
from scan_jax.inference.request import FillOptions
from scan_jax.inference.summary import Outcome, Summary
from scan_jax.inference.tiling import Tiles


class Paints:
    """Fills with one colour; refuses photographs whose first pixel is red."""

    def __init__(self):
        self.calls = []

    def plan(self, request, options):
        if not request.hole.any():
            logging.getLogger("scan_jax.inference").warning("there is no hole in %s pixels", request.hole.size)
        return Tiles.of(request.photograph.pixels, request.hole, None, 64, options.strategy)

    def fill(self, tiles, options):
        self.calls.append(len(tiles))
        if any(tuple(each.pixels[0, 0]) == (255, 0, 0) for each in tiles):
            raise UserError("it is red")
        return [np.where(each.hole[..., None], np.uint8(90), each.pixels) for each in tiles]


def picture(seed, red=False):
    pixels = np.random.default_rng(seed).integers(0, 250, (11, 14, 3), np.uint8)
    pixels[0, 0] = (255, 0, 0) if red else pixels[0, 0]
    return pixels


@pytest.fixture
def files(tmp_path):
    """Four of six can be filled."""
    hole = np.zeros((11, 14), bool)
    hole[3:7, 2:9] = True
    Image.fromarray(hole).save(tmp_path / "hole.png")
    Image.fromarray(hole[1:]).save(tmp_path / "small.png")
    for name in "abdf":
        Image.fromarray(picture(ord(name))).save(tmp_path / f"{name}.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    Image.fromarray(picture(5, red=True)).save(tmp_path / "e.png")
    found = {name: tmp_path / ("small.png" if name == "d" else "hole.png") for name in "abcdef"}
    return [
        (Pair(f"{name}.png", tmp_path / f"{name}.png", place), tmp_path / "out" / f"{name}.png")
        for name, place in found.items()
    ]


def fillable(files):
    return [(pair, output) for pair, output in files if pair.name[0] in "abf"]


def summary(files):
    return Summary(network={"step": 3}, fill_flags={"seed": 0}, asked=len(files))


def fill(files, paints, found, batch_size=1, keep_existing=False):
    job = Job(files=files, matched=Matched((), 0, 0), keep_existing=keep_existing)
    fill_all(job, paints, FillOptions(batch_size=batch_size), found)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 9])
def test_one_that_fails_is_named_and_the_others_are_filled(files, tmp_path, capsys, batch_size):
    found = summary(files)
    fill(files, Paints(), found, batch_size)
    states = {outcome.name[0]: outcome.status for outcome in found.outcomes}
    assert states == dict.fromkeys("abf", "filled") | dict.fromkeys("cde", "failed") and list(states) == list("abcdef")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "f.png"]
    for name in "abf":
        expected = picture(ord(name))
        expected[3:7, 2:9] = 90
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / f"{name}.png")), expected)
    said = capsys.readouterr().err
    assert "c.png: cannot read the photograph" in said and "e.png: it is red" in said
    assert "d.png: the photograph is 14x11 pixels, the hole 14x10" in said
    assert found.exit_code == 3 and str(found).startswith("filled 3 of 6 photographs in ")
    assert str(found).endswith("; 3 failed")


def test_exit_codes(files):
    for states, code in ((("filled", "kept"), 0), (("filled", "failed"), 3), (("kept", "failed"), 3), (("failed",), 1)):
        found = summary(files)
        outcome = Outcome.of(*files[0])
        found.outcomes += [dataclasses.replace(outcome, status=each) for each in states]
        assert found.exit_code == code, states


def test_outputs_that_exist_are_kept(files, tmp_path):
    files = fillable(files)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.png").write_bytes(b"it is there")
    found, fills = summary(files), Paints()
    fill(files, fills, found, keep_existing=True)
    assert [outcome.status for outcome in found.outcomes] == ["filled", "kept", "filled"]
    assert (tmp_path / "out/b.png").read_bytes() == b"it is there" and fills.calls == [1, 1]
    assert "1 were there before" in str(found) and found.exit_code == 0
    fill(files, fills, found)
    assert (tmp_path / "out/b.png").read_bytes()[:4] == b"\x89PNG"


def test_the_summary_says_it_all_even_of_an_interrupted_run(files, tmp_path):
    class Stops(Paints):
        def fill(self, tiles, options):
            if len(self.calls) == 2:
                raise KeyboardInterrupt
            return super().fill(tiles, options)

    found = summary(files)
    with pytest.raises(KeyboardInterrupt):
        fill(files, Stops(), found)
    found.write(tmp_path / "summary.json")
    whole = json.loads((tmp_path / "summary.json").read_text())
    assert whole["network"] == {"step": 3} and whole["wishes"] == {"seed": 0}
    expected = {"photographs": 6, "filled": 2, "failed": 2, "kept": 0, "not_reached": 2}
    assert expected.items() <= whole["totals"].items()
    first, _, third, fourth = whole["photographs"]
    assert (first["input"], first["output"]) == (str(files[0][0].photograph), str(files[0][1]))
    assert first["hole"].endswith("hole.png") and first["labels"] is None and first["status"] == "filled"
    assert (first["width"], first["height"], first["hole_share"]) == (14, 11, round(28 / 154, 6))
    assert first["strategy"] == "the whole photograph" and first["error"] is None and first["seconds"] > 0
    assert third["status"] == "failed" and "c.png" in third["error"] and third["width"] is None
    assert "14x10" in fourth["error"]


def test_what_is_said_of_many_photographs_is_said_once(files, tmp_path, capsys):
    Image.new("L", (14, 11)).save(tmp_path / "none.png")
    fine = [
        (Pair(pair.name, pair.photograph, tmp_path / "none.png"), output.with_suffix(".jpg"))
        for pair, output in fillable(files)
    ]
    found = summary(fine)
    fill(fine, Paints(), found)
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines == [
        "a.png: there is no hole in 154 pixels",
        "a.png: JPEG is lossy: known pixels change a little; write a .png to keep them byte for byte",
        "3 photographs in all: there is no hole in 154 pixels",
        "3 photographs in all: JPEG is lossy: known pixels change a little; write a .png to keep them byte for byte",
    ]
    assert all(len(outcome.warnings) == 2 for outcome in found.outcomes)
    assert logging.getLogger("scan_jax").propagate and not logging.getLogger("scan_jax").handlers


def test_a_full_disk_is_one_photographs_error(files, tmp_path, capsys):
    (tmp_path / "out").write_text("a file in the way")
    found = summary(files[:2])
    fill(files[:2], Paints(), found, 2)
    assert [outcome.status for outcome in found.outcomes] == ["failed", "failed"] and found.exit_code == 1
    assert "cannot write" in capsys.readouterr().err
