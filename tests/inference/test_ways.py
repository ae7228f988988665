"""Filling without a network: the same calls and commands, the photograph's own resolution, exact crops."""

import dataclasses
import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from scan_jax.commands import attend, cli, inpaint
from scan_jax.commands.models import DEFAULT, MODELS
from scan_jax.core.errors import UserError
from scan_jax.inference.inpainter import DEFAULT_MODEL, PACKAGED, Inpainter
from scan_jax.inference.tiling import Window
from scan_jax.inference.ways import WAYS, ByEquation, apart, meet_border

EQUATIONS = ("harmonic", "biharmonic")
SHAPE = (101, 143)


def scene(height=SHAPE[0], width=SHAPE[1]):
    """Waves of colour, and a hole of three parts, one of them at the border and one in a corner."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 11.0) * np.cos(columns / (17.0 - c)) for c in range(3)]
    image = np.round(127.5 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)  # [H,W,3]
    hole = np.zeros((height, width), bool)
    hole[5:17, 8:22] = True
    hole[70:80, -9:] = True
    hole[-6:, :12] = True
    return image, hole


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(inpaint, "keep_compilations", lambda: None)
    monkeypatch.chdir(tmp_path)
    image, hole = scene()
    rng = np.random.default_rng(0)
    for folder, array in (("photographs", image), ("holes", hole)):
        (tmp_path / folder).mkdir()
        Image.fromarray(array).save(f"{folder}/a.png")
        Image.fromarray(array[:90, :50]).save(f"{folder}/b.png")
    Image.fromarray(rng.integers(0, 5, SHAPE, np.uint8)).save("labels.png")
    return image, hole


def read(path):
    return np.asarray(Image.open(path))


@pytest.mark.slow
@pytest.mark.parametrize("name", EQUATIONS)
def test_padding_and_cropping_change_nothing(name):
    image, hole = scene(60, 90)
    hole[48:, 76:] = True  # up to two borders, where a padding that counted would be felt
    known = ~hole[None, ..., None]
    whole = image[None] / np.float32(255)  # [1,H,W,3]
    solve = jax.jit(functools.partial(WAYS[name].solve, cycles=20, tolerance=0.0))
    expected = solve(jnp.asarray(whole), jnp.asarray(known, jnp.float32))

    def padded(array, value):
        sides = ((0, 0), (0, 128 - array.shape[1]), (0, 128 - array.shape[2]), (0, 0))
        return np.pad(array, sides, constant_values=value)

    limits = np.stack([whole[known[..., 0]].min(0), whole[known[..., 0]].max(0)])[None]  # [1,2,3]
    both = [padded(whole, np.nan), padded(whole[:, :32, :32], np.nan)]
    sees = [padded(known, True), padded(known[:, :32, :32], True)]
    inside = [padded(np.ones((1, *one.shape), bool), False) for one in (known[0], known[0, :32, :32])]
    stacked = (jnp.asarray(np.concatenate(each), jnp.float32) for each in (both, sees, inside, [limits, limits]))
    images, knowns, insides, bounds = stacked
    found = np.asarray(solve(images, knowns, inside=insides, limits=bounds))
    np.testing.assert_allclose(found[:1, :60, :90], expected, atol=1e-4)
    np.testing.assert_allclose(found[1:, :32, :32], expected[:, :32, :32], atol=1e-4)  # a part that is alone there


def test_the_surroundings_are_all_that_counts():
    name, (image, hole) = "harmonic", scene()
    assert WAYS[name].look(image, hole).strategy == "3 windows of 32, 37 pixels"
    found = WAYS[name](image, hole)
    np.testing.assert_array_equal(found[~hole], image[~hole])
    np.testing.assert_array_equal(found, WAYS[name](np.where(hole[..., None], np.uint8(0), image), hole))
    whole = WAYS[name].fill_batch(image[None], hole[None])[0]
    assert np.abs(found.astype(int) - whole).max() <= 1
    assert np.abs(found.astype(int) - image)[hole].mean() < 8  # the waves go on


def test_windows_lie_apart_and_have_every_part_with_its_surroundings():
    hole = np.zeros((200, 300), bool)
    hole[40:50, 40:50] = hole[40:44, 62:70] = True  # whose surroundings meet
    hole[150, 299] = True
    assert apart(hole, 3, 32) == (Window(32, 32, 32, 64), Window(128, 288, 32, 12))
    rng = np.random.default_rng(3)
    hole = rng.random((430, 570)) < 0.0001
    counted = np.zeros(hole.shape, int)
    for window in apart(hole, 3, 32):
        counted[window.slices] += 1
        assert window.top % 32 == window.left % 32 == 0
    for row, column in np.argwhere(hole):
        near = counted[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4]
        assert (near == 1).all()
    assert counted.max() == 1 and counted.min() == 0


@pytest.mark.parametrize("name", WAYS)
def test_in_python(name, caplog):
    image, hole = scene()
    fill = Inpainter.load(name)
    filled = fill(image, hole, np.zeros(SHAPE, np.uint8), seed=3, blend="poisson", strategy="whole")
    assert "takes no labels" in caplog.text
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    np.testing.assert_array_equal(filled, WAYS[name](image, hole))
    smaller, all_hole = image[:40, :30], np.ones((9, 9), bool)
    several = list(fill.batch([image, smaller, image[:9, :9]], [hole, hole[:40, :30], all_hole], batch_size=2))
    assert np.abs(several[0].astype(int) - filled).max() <= 1
    np.testing.assert_array_equal(several[2], 128)
    np.testing.assert_array_equal(fill(image, np.zeros_like(hole)), image)
    assert fill.about["method"] == name and fill.num_labels == fill.size == fill.step == 0
    for call, message in (
        (lambda: fill(image, hole, refine="style_search"), "no optimisation at test time 'style_search'"),
        (lambda: fill(image, hole, styles={"hair": np.zeros(3)}), "does not paint from styles"),
        (lambda: fill.styles(image, None), "does not paint from styles"),
        (lambda: fill.attention(image, hole, None, np.array([[6, 9]])), "no attention between pixels"),
        (lambda: fill(image, hole, strategy="some"), "there is no strategy 'some'"),
    ):
        with pytest.raises(UserError, match=message):
            call()


def test_a_word_that_is_none(tmp_path, monkeypatch):
    assert tuple(MODELS) == (*PACKAGED, *WAYS) and DEFAULT == DEFAULT_MODEL
    with pytest.raises(UserError, match=r"no run folder biharmonc, did you mean 'biharmonic'\?; .* telea, patchmatch$"):
        Inpainter.load("biharmonc")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harmonic").mkdir()
    assert Inpainter.load("harmonic").about["method"] == "harmonic"
    for folder in ("./harmonic", tmp_path / "harmonic"):
        with pytest.raises(UserError, match="harmonic is not a run folder"):
            Inpainter.load(folder)


def test_one_photograph_by_the_command(files, capsys, caplog):
    image, hole = files
    given = ["--run=biharmonic", "photographs/a.png", "holes/a.png", "--out=filled.png"]
    assert inpaint.main([*given, "--summary=told.json", "--labels=labels.png"]) == 0
    assert "takes no labels" in caplog.text
    filled = read("filled.png")
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    np.testing.assert_array_equal(filled, WAYS["biharmonic"](image, hole))
    step = np.abs(np.diff(filled.astype(int), axis=0)).max()
    assert step <= np.abs(np.diff(image.astype(int), axis=0)).max() + 4  # as smooth as the photograph, borders included
    told = json.loads(Path("told.json").read_text())
    assert told["network"]["run"] == told["network"]["method"] == "biharmonic"
    assert "cycles" in told["network"]["computed by"]
    assert told["photographs"][0]["strategy"] == "3 windows of 32, 37 pixels"
    capsys.readouterr()
    for flags, message in (
        (["--style_steps=2"], "no optimisation at test time 'style_search'"),
        (["--style_from=photographs/a.png", "--style_labels=labels.png"], "does not paint from styles"),
    ):
        assert inpaint.main([*given, *flags]) == 1
        assert message in capsys.readouterr().err
    assert inpaint.main(["--run=bihamonic", *given[1:]]) == 1
    assert "error: there is no run folder bihamonic, did you mean" in capsys.readouterr().err
    looking = ["--run=telea", *given[1:3], "--out=looked.png"]
    assert attend.main(looking) == 1
    assert "no attention between pixels" in capsys.readouterr().err


@pytest.mark.parametrize("batch", [1, 2])
def test_folders_by_the_command(files, batch):
    image, hole = files
    assert inpaint.main(["--run=harmonic", "photographs", "holes", "--out=out", f"--batch_size={batch}"]) == 0
    for name, shape in (("a.png", SHAPE), ("b.png", (90, 50))):
        photograph, gap = (array[: shape[0], : shape[1]] for array in (image, hole))
        assert np.abs(read(f"out/{name}").astype(int) - WAYS["harmonic"](photograph, gap)).max() <= 1


def test_scores_of_a_changed_solver_are_not_taken_for_those_of_this_one():
    way = WAYS["biharmonic"]
    more = dataclasses.replace(way, equation=dataclasses.replace(way.equation, cycles=9))
    assert more.computed_by != way.computed_by


def test_photographs_of_many_sizes_share_few_compilations():
    traced = []

    def solve(image, known, cycles, *, inside, limits):
        traced.append(image.shape)
        return image

    way = ByEquation(WAYS["harmonic"].equation, solve)
    for seed in range(30):
        height, width = np.random.default_rng(seed).integers(10, 700, 2)
        hole = np.zeros((height, width), bool)
        hole[1:-1, 2:-2] = True
        way(np.zeros((height, width, 3), np.uint8), hole)
    squares = {(1, side, side, 3) for side in (64, 128, 256, 512)}
    assert set(traced) <= squares | {(1, 768, 512, 3), (1, 512, 768, 3), (1, 768, 768, 3)}
    assert len(traced) == len(set(traced))
    # What was traced of one solver is kept on the disk, and never taken for another's, whichever came first.
    assert (1, 128, 128, 3) in traced
    photograph, hole = np.full((128, 128, 3), 200, np.uint8), np.zeros((128, 128), bool)
    hole[1:-1, 2:-2] = True
    assert (ByEquation(WAYS["harmonic"].equation, WAYS["harmonic"].solve)(photograph, hole) == 200).all()


@pytest.mark.parametrize("hole_rows", [slice(7, 20), slice(0, 32)])  # inside, and from border to border
def test_a_filling_meets_the_border_as_poisson_image_editing_has_it(hole_rows):
    """Against a dense float64 solve: in the hole the prediction's own Laplacian, at its border the known pixels."""
    rng = np.random.default_rng(4)
    prediction = rng.random((32, 40, 3), np.float32) / 2 + 0.25
    pixels = rng.integers(0, 256, (32, 40, 3), np.uint8)
    hole = np.zeros((32, 40), bool)
    hole[hole_rows, 12:30] = True
    found = meet_border(prediction, pixels, hole, ~hole)

    unknown = np.argwhere(hole)
    number = {tuple(place): k for k, place in enumerate(unknown)}
    matrix, right = np.zeros((len(unknown),) * 2), np.zeros((len(unknown), 3))
    for place, k in number.items():
        for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            beside = (place[0] + step[0], place[1] + step[1])
            if not (0 <= beside[0] < 32 and 0 <= beside[1] < 40):
                continue  # no neighbour, no condition
            matrix[k, k] += 1
            right[k] += prediction[place].astype(float) - prediction[beside]
            if beside in number:
                matrix[k, number[beside]] -= 1
            else:
                right[k] += pixels[beside] / 255
    assert np.abs(found[hole] - np.linalg.solve(matrix, right)).max() < 0.01
    assert np.abs(found[hole] - prediction[hole]).max() > 0.2
    np.testing.assert_array_equal(found[~hole], prediction[~hole])


def test_a_constant_offset_is_taken_away_and_without_a_border_nothing_is():
    pixels, hole = np.full((40, 50, 3), 100, np.uint8), np.zeros((40, 50), bool)
    hole[10:30, 8:41] = hole[3, 3] = True
    off = np.full((40, 50, 3), 0.9, np.float32)
    np.testing.assert_allclose(meet_border(off, pixels, hole, ~hole)[hole], 100 / 255, atol=1e-5)
    np.testing.assert_array_equal(meet_border(off, pixels, np.ones_like(hole), np.zeros_like(hole)), off)
    np.testing.assert_array_equal(meet_border(off, pixels, np.zeros_like(hole), ~hole), off)


def test_the_models_are_listed_and_what_was_imported(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SCAN_JAX_WEIGHTS", str(tmp_path))
    (tmp_path / "rfr").mkdir()
    (tmp_path / "vgg19.safetensors").touch()
    assert cli.main(["models"]) == 0
    listed = [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()]
    assert listed[: len(MODELS) + 2] == [*PACKAGED, *WAYS, "rfr", ""]


@pytest.mark.slow
def test_without_a_run_the_packaged_network_fills_through_windows(files, caplog):
    image, hole = files
    assert inpaint.main(["photographs/a.png", "holes/a.png", "--out=filled.png", "--summary=told.json"]) == 0
    told = json.loads(Path("told.json").read_text())
    assert told["network"]["run"] == DEFAULT and told["network"]["method"] == "scan"
    assert "window" in told["photographs"][0]["strategy"]
    filled = read("filled.png")
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    np.testing.assert_array_equal(filled, Inpainter.load()(image, hole))
    off = filled.astype(int) - WAYS["harmonic"](image, hole)
    assert np.abs(off).max() > 0 and np.abs(off).mean() < 5  # it adds to an equation
