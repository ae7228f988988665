"""What a method may offer besides filling: refinement, styles of parts, attention; from Python and from commands."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mean_colours import GREY, MeanColours
from PIL import Image

from scan_jax.commands import attend, inpaint
from scan_jax.core.errors import UserError
from scan_jax.core.types import Prediction
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import FillOptions, interpolate
from scan_jax.methods.api import Refined

HEIGHT, WIDTH = 30, 44


class Stylish(MeanColours):
    """Predicts one level of grey; a search adds a hundredth for each update."""

    def __init__(self):
        super().__init__(num_labels=3)
        self.refiners = {"style_search": self.search}

    def load_frozen(self):
        return {"scale": jnp.float32(0.01)}

    def predict(self, variables, observation, rng):
        return Prediction(jnp.full_like(observation.image, variables.params["generator"]["level"]))

    def search(self, variables, frozen, observation, rng, *, steps=None, progress=None):
        before = self.predict(variables, observation, rng).image
        for index in range(steps or 2):
            progress(index)
        return Refined(Prediction(before + frozen["scale"] * (steps or 2)), jnp.zeros((1, 1)))

    def attend(self, variables, observation, points):
        """All on the pixel that looks."""
        del variables
        height, width = observation.labels.shape[1:]
        rows, columns = jax.nn.one_hot(points[..., 0], height), jax.nn.one_hot(points[..., 1], width)
        return rows[..., :, None] * columns[..., None, :]  # [B,P,H,W]


@functools.cache
def painter():
    return Inpainter(Stylish(), GREY, size=64)


def photo_hole_and_labels():
    """Left half class 0, right half class 2, each in one colour."""
    image, labels = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    image[:, :22], image[:, 22:], labels[:, 22:] = (200, 40, 0), (0, 80, 160), 2
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[8:20, 10:30] = True
    return image, hole, labels


def test_a_refiner_is_named_and_counted():
    given = photo_hole_and_labels()
    _, hole, _ = given
    assert np.all(painter()(*given, blend="none")[hole] == 51)
    assert np.all(painter()(*given, refine="style_search", blend="none")[hole] == round(255 * 0.22))
    refined = painter()(*given, refine="style_search", blend="none", steps=30)
    assert np.all(refined[hole] == round(255 * 0.5))
    np.testing.assert_array_equal(refined[~hole], given[0][~hole])


def test_styles_of_a_reference_paint_the_parts_that_are_named():
    image, hole, labels = photo_hole_and_labels()
    reference = painter().styles(np.full_like(image, 255), labels)
    assert list(reference) == ["0", "2"]  # class 1 does not occur
    filled = painter()(image, hole, labels, styles={"2": reference["2"]})
    assert np.all(filled[8:20, 22:30] == 255)
    assert np.all(filled[8:20, 10:22] == (200, 40, 0))
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    own = painter().styles(image, labels, hole)
    halfway = interpolate(own, {"2": reference["2"]}, 0.5)
    filled = painter()(image, hole, labels, styles=halfway)
    np.testing.assert_allclose(filled[12, 25], (128, 168, 208), atol=1)
    white = {"style_from": np.full_like(image, 255), "style_labels": labels, "style_parts": ["2"], "style_amount": 0.5}
    np.testing.assert_array_equal(painter()(image, hole, labels, **white), filled)
    np.testing.assert_array_equal(painter()(image, hole, labels, FillOptions(**white)), filled)


def test_what_a_method_has_not_and_what_does_not_fit_is_said():
    given, plain = photo_hole_and_labels(), Stylish()
    plain.styles, plain.refiners, plain.maps = None, {}, {}
    bare = Inpainter(plain, GREY, size=64)
    for call, message in (
        (lambda: bare.styles(given[0], given[2]), "does not paint from styles"),
        (lambda: bare(*given, refine="style_search"), "no optimisation at test time 'style_search'"),
        (lambda: bare.attention(*given, np.array([[10, 12]])), "no attention"),
        (
            lambda: painter()(*given, refine="style_serch"),
            "no optimisation at test time 'style_serch', did you mean 'style_search'",
        ),
        (lambda: painter()(*given, styles={"hair": np.zeros(3)}), r"no part 'hair'; there are: 0, 1, 2"),
        (lambda: painter()(*given, styles={"2": np.zeros(4)}), r"style of '2' must be \(3,\), not \(4,\)"),
        (lambda: painter()(*given, styles={"2": np.zeros(3)}, refine="style_search"), "either of the two"),
        (lambda: interpolate({}, {}, 1.5), r"from 0 .* to 1 .*, not 1\.5"),
    ):
        with pytest.raises(UserError, match=message):
            call()


def test_attention_comes_back_at_the_photographs_size():
    image, hole, labels = (np.repeat(np.repeat(array, 3, axis=0), 3, axis=1) for array in photo_hole_and_labels())
    points = np.array([[30, 40], [58, 88]])
    found = Inpainter(Stylish(), GREY, size=HEIGHT).attention(image, hole, labels, points)["attention"]
    assert found.shape == (2, 3 * HEIGHT, 3 * WIDTH)
    for one, (row, column) in zip(found, points):
        expected = np.zeros(one.shape)
        expected[row // 3 * 3 :, column // 3 * 3 :][:3, :3] = 1
        np.testing.assert_array_equal(one, expected)


@pytest.fixture
def folder(tmp_path, stand_in):
    for name, array in zip(("photo", "hole", "labels"), photo_hole_and_labels()):
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    stand_in(Stylish(), GREY, 64)
    return tmp_path


def flags(folder, out):
    files = [str(folder / name) for name in ("photo.png", "hole.png")]
    return [*files, f"--labels={folder}/labels.png", f"--run={folder}/run", f"--out={folder / out}"]


def test_inpaint_restyles_and_searches(folder, capsys):
    image, hole, _ = photo_hole_and_labels()
    Image.fromarray(np.full_like(image, 255)).save(folder / "white.png")
    take = [f"--style_from={folder}/white.png", f"--style_labels={folder}/labels.png"]

    def filled(*more):
        assert inpaint.main([*flags(folder, "filled.png"), *more]) == 0
        result = np.asarray(Image.open(folder / "filled.png"))
        np.testing.assert_array_equal(result[~hole], image[~hole])
        return result[12, 25]  # class 2

    assert np.all(filled(*take, "--style_parts", "2") == 255)
    np.testing.assert_array_equal(filled(*take, "--style_parts", "0"), image[12, 25])
    np.testing.assert_allclose(filled(*take, "--style_amount=0.5"), (128, 168, 208), atol=1)
    assert np.all(filled("--style_steps=10", "--blend=none") == round(255 * 0.3))
    capsys.readouterr()
    assert inpaint.main([*flags(folder, "x.png"), *take, "--style_parts", "1"]) == 1
    assert "error: the reference photograph shows no part '1'; it shows: 0, 2\n" in capsys.readouterr().err
    assert inpaint.main([*flags(folder, "x.png"), take[0]]) == 1
    assert "go together" in capsys.readouterr().err
    assert not (folder / "x.png").exists()


def test_attend_draws_a_map_for_each_point(folder, capsys):
    assert attend.main([*flags(folder, "maps.png"), "--points", "12,10", "28,15"]) == 0
    with Image.open(folder / "maps.png") as sheet:
        four = sheet.size[0]  # input, labels and two maps
    assert attend.main([*flags(folder, "chosen.png")]) == 0
    with Image.open(folder / "chosen.png") as sheet:
        assert sheet.size[0] > four  # four were chosen
    capsys.readouterr()
    for point, message in {"3,4": r"pixel (3, 4) is not in the hole", "12": "X,Y", "500,2": "not in the hole"}.items():
        assert attend.main([*flags(folder, "no.png"), "--points", point]) == 1
        assert message in capsys.readouterr().err.splitlines()[-1]
    assert attend.main([*flags(folder, "maps.jpg")]) == 1
    assert "must end in .png" in capsys.readouterr().err
    assert not (folder / "no.png").exists()
