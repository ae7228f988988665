"""Photograph after photograph: what becomes of each, what is said, and what a program can read of it."""

import dataclasses
import json
import logging

import numpy as np
import pytest
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.images.pairs import Pair
from scan_jax.inference.batch import Job, Outcome, Reading, Summary, fill_all


class Paints:
    """Fills with one colour; refuses photographs whose first pixel is red."""

    def __init__(self):
        self.calls = []

    def strategy(self, request):
        return "the whole photograph"

    def several(self, requests):
        self.calls.append(len(requests))
        for request in requests:
            if tuple(request.photograph.pixels[0, 0]) == (255, 0, 0):
                raise UserError("it is red")
        if not requests[0].hole.any():
            logging.getLogger("scan_jax.inference").warning("there is no hole in %s pixels", requests[0].hole.size)
        return [np.where(request.hole[..., None], np.uint8(90), request.photograph.pixels) for request in requests]


def picture(seed, red=False):
    pixels = np.random.default_rng(seed).integers(0, 250, (11, 14, 3), np.uint8)
    pixels[0, 0] = (255, 0, 0) if red else pixels[0, 0]
    return pixels


@pytest.fixture
def jobs(tmp_path):
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
        Job(Pair(f"{name}.png", tmp_path / f"{name}.png", place), tmp_path / "out" / f"{name}.png")
        for name, place in found.items()
    ]


def fillable(jobs):
    return [job for job in jobs if job.pair.name[0] in "abf"]


def summary(jobs):
    return Summary(network={"step": 3}, wishes={"seed": 0}, asked=len(jobs))


@pytest.mark.parametrize("batch_size", [1, 2, 4, 9])
def test_one_that_fails_is_named_and_the_others_are_filled(jobs, tmp_path, capsys, batch_size):
    found = summary(jobs)
    fill_all(jobs, Paints(), Reading(), found, batch_size)
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


def test_exit_codes(jobs):
    for states, code in ((("filled", "kept"), 0), (("filled", "failed"), 3), (("kept", "failed"), 3), (("failed",), 1)):
        found = summary(jobs)
        outcome = Outcome.of(jobs[0].pair, jobs[0].output)
        found.outcomes += [dataclasses.replace(outcome, status=each) for each in states]
        assert found.exit_code == code, states


def test_outputs_that_exist_are_kept(jobs, tmp_path):
    jobs = fillable(jobs)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.png").write_bytes(b"it is there")
    found, fills = summary(jobs), Paints()
    fill_all(jobs, fills, Reading(keep_existing=True), found)
    assert [outcome.status for outcome in found.outcomes] == ["filled", "kept", "filled"]
    assert (tmp_path / "out/b.png").read_bytes() == b"it is there" and fills.calls == [1, 1]
    assert "1 were there before" in str(found) and found.exit_code == 0
    fill_all(jobs, fills, Reading(), found)
    assert (tmp_path / "out/b.png").read_bytes()[:4] == b"\x89PNG"


def test_the_summary_says_it_all_even_of_an_interrupted_run(jobs, tmp_path):
    class Stops(Paints):
        def several(self, requests):
            if len(self.calls) == 2:
                raise KeyboardInterrupt
            return super().several(requests)

    found = summary(jobs)
    with pytest.raises(KeyboardInterrupt):
        fill_all(jobs, Stops(), Reading(), found)
    found.write(tmp_path / "summary.json")
    whole = json.loads((tmp_path / "summary.json").read_text())
    assert whole["network"] == {"step": 3} and whole["wishes"] == {"seed": 0}
    expected = {"photographs": 6, "filled": 2, "failed": 2, "kept": 0, "not_reached": 2}
    assert expected.items() <= whole["totals"].items()
    first, _, third, fourth = whole["photographs"]
    assert (first["input"], first["output"]) == (str(jobs[0].pair.photograph), str(jobs[0].output))
    assert first["hole"].endswith("hole.png") and first["labels"] is None and first["status"] == "filled"
    assert (first["width"], first["height"], first["hole_share"]) == (14, 11, round(28 / 154, 6))
    assert first["strategy"] == "the whole photograph" and first["error"] is None and first["seconds"] > 0
    assert third["status"] == "failed" and "c.png" in third["error"] and third["width"] is None
    assert "14x10" in fourth["error"]


def test_what_is_said_of_many_photographs_is_said_once(jobs, tmp_path, capsys):
    Image.new("L", (14, 11)).save(tmp_path / "none.png")
    fine = [
        Job(Pair(job.pair.name, job.pair.photograph, tmp_path / "none.png"), job.output.with_suffix(".jpg"))
        for job in fillable(jobs)
    ]
    found = summary(fine)
    fill_all(fine, Paints(), Reading(), found)
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines == [
        "a.png: there is no hole in 154 pixels",
        "a.png: JPEG is lossy: known pixels change a little; write a .png to keep them byte for byte",
        "3 photographs in all: there is no hole in 154 pixels",
        "3 photographs in all: JPEG is lossy: known pixels change a little; write a .png to keep them byte for byte",
    ]
    assert all(len(outcome.warnings) == 2 for outcome in found.outcomes)
    assert logging.getLogger("scan_jax").propagate and not logging.getLogger("scan_jax").handlers


def test_a_full_disk_is_one_photographs_error(jobs, tmp_path, capsys):
    (tmp_path / "out").write_text("a file in the way")
    found = summary(jobs[:2])
    fill_all(jobs[:2], Paints(), Reading(), found, 2)
    assert [outcome.status for outcome in found.outcomes] == ["failed", "failed"] and found.exit_code == 1
    assert "cannot write" in capsys.readouterr().err
