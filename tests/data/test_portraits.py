"""The drawn portraits: pure in (seed, index), the same at every size, and labelled as they are painted."""

import numpy as np
import pytest

from scan_jax.core.errors import UserError
from scan_jax.data.portraits import CLASS_NAMES, SUPERSAMPLED_UP_TO, Part, draw, portrait
from scan_jax.data.portraits.backdrop import SCENES
from scan_jax.data.portraits.body import COLLARS, PATTERNS, RIMS
from scan_jax.data.portraits.canvas import to_image, to_labels
from scan_jax.data.portraits.hair import CUTS, HATS
from scan_jax.data.portraits.sdf import fractal, grid_noise, line_noise, plane_noise
from scan_jax.data.portraits.traits import sample_traits

MANY = 240


@pytest.fixture(scope="module")
def population():
    return [portrait(11, index, 48) for index in range(MANY)]


def _area_resize(image, factor):
    height, width, channels = image.shape
    blocks = image.reshape(height // factor, factor, width // factor, factor, channels)
    return blocks.astype(np.float64).mean(axis=(1, 3))


def _changed(trait, **changes):
    return getattr(sample_traits(0, 3), trait)._replace(**changes)


def _plain_sitter(**changes):
    """A sitter with nothing on the head, lit evenly from the front."""
    light = _changed("light", x=0.0, y=-1.0, strength=0.8, tint=np.ones(3, np.float32))
    bare = {"hat": _changed("hat", kind="none"), "glasses": _changed("glasses", kind="none"), "light": light}
    return sample_traits(0, 3)._replace(**(bare | changes))


def test_same_arguments_give_the_same_bytes_whatever_came_before():
    image, labels = portrait(3, 7, 64)
    kept = image.tobytes(), labels.tobytes()
    np.random.seed(0)  # noqa: NPY002 - the global state must not matter
    portrait(4, 1, 33)
    portrait(3, 8, 128)
    image[:], labels[:] = 0, 0  # nor what becomes of a result
    again_image, again_labels = portrait(3, 7, 64)
    assert (again_image.tobytes(), again_labels.tobytes()) == kept


def test_another_seed_or_index_is_another_face(population):
    assert len({image.tobytes() for image, _ in population}) == MANY
    image, labels = portrait(5, 0, 48)
    for other in ((5, 1), (6, 0)):
        other_image, other_labels = portrait(*other, 48)
        assert np.abs(image.astype(int) - other_image).mean() > 10
        assert (labels != other_labels).mean() > 0.05


@pytest.mark.parametrize("size", [16, 64, 97, SUPERSAMPLED_UP_TO + 1])
def test_shapes_types_and_ranges_at_even_and_odd_sizes(size):
    image, labels = portrait(2, 5, size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert labels.shape == (size, size) and labels.dtype == np.uint8
    assert image.flags["C_CONTIGUOUS"] and labels.flags["C_CONTIGUOUS"]
    assert labels.max() < len(CLASS_NAMES) == len(Part) == 19
    assert image.std() > 15


@pytest.mark.parametrize("arguments", [(0, 0, 15), (-1, 0, 64), (0, -1, 64)])
def test_arguments_out_of_range_are_the_users_error(arguments):
    with pytest.raises(UserError, match="portrait"):
        portrait(*arguments)


@pytest.mark.parametrize("index", range(8))
def test_the_same_face_at_every_size(index):
    small, labels = portrait(1, index, 64)
    for factor in (2, 4):
        large, large_labels = portrait(1, index, 64 * factor)
        assert np.abs(_area_resize(large, factor) - small).mean() < 3.0
        assert (large_labels[factor // 2 :: factor, factor // 2 :: factor] == labels).mean() > 0.95


def test_a_portrait_at_another_size_is_nearer_than_any_other_face():
    small = np.stack([portrait(1, index, 32)[0] for index in range(12)]).astype(np.float64)
    large = np.stack([_area_resize(portrait(1, index, 96)[0], 3) for index in range(12)])
    distance = np.abs(small[:, None] - large[None]).mean(axis=(2, 3, 4))
    np.testing.assert_array_equal(distance.argmin(axis=1), np.arange(12))


def test_every_class_occurs_and_the_face_always_does(population):
    present = np.zeros(len(CLASS_NAMES))
    for _, labels in population:
        present[np.unique(labels)] += 1
    assert (present > 0).all(), [CLASS_NAMES[i] for i in np.flatnonzero(present == 0)]
    always = [Part.BACKGROUND, Part.SKIN, Part.NOSE, Part.LOWER_LIP, Part.CLOTH]
    assert (present[always] == MANY).all()
    assert present[Part.UPPER_LIP] > 0.95 * MANY  # a thin one is lost at 48 pixels
    assert 0.10 < present[Part.GLASSES] / MANY < 0.32
    assert 0.05 < present[Part.HAT] / MANY < 0.22


@pytest.mark.parametrize("sides", [(Part.L_EYE, Part.R_EYE), (Part.L_BROW, Part.R_BROW), (Part.L_EAR, Part.R_EAR)])
def test_left_is_the_persons_left_in_every_portrait(population, sides):
    columns = [[np.nonzero(labels == part)[1] for part in sides] for _, labels in population]
    compared = [(one.mean(), other.mean()) for one, other in columns if one.size and other.size]
    assert all(on_left > on_right for on_left, on_right in compared)
    assert len(compared) > MANY // 4


def test_parts_lie_in_a_faces_order_from_top_to_bottom(population):
    order = [Part.HAT, Part.L_BROW, Part.L_EYE, Part.NOSE, Part.UPPER_LIP, Part.LOWER_LIP, Part.NECK, Part.CLOTH]
    rows = [[np.nonzero(labels == part)[0] for _, labels in population] for part in order]
    heights = [np.mean([found.mean() for found in some if found.size]) for some in rows]
    assert (np.diff(heights) > 0).all(), heights


def _mean_colour(traits, part):
    image, labels = draw(traits, 96)
    return image[labels == part].mean(axis=0) / 255


@pytest.mark.parametrize("colour", [(0.85, 0.68, 0.42), (0.12, 0.10, 0.11), (0.20, 0.45, 0.60)])
@pytest.mark.parametrize("cut", ["long", "curls"])
def test_pixels_labelled_hair_have_the_hairs_colour(cut, colour):
    wanted = np.array(colour, np.float32)
    found = _mean_colour(_plain_sitter(hair=_changed("hair", cut=cut, colour=wanted)), Part.HAIR)
    assert np.abs(found / found.sum() - wanted / wanted.sum()).max() < 0.06  # hue
    assert np.abs(found - wanted).max() < 0.22  # shaded, so a little darker


@pytest.mark.parametrize("tone", [(0.93, 0.77, 0.67), (0.35, 0.22, 0.16)])
def test_pixels_labelled_skin_have_the_skins_colour(tone):
    wanted = np.array(tone, np.float32)
    sitter = _plain_sitter(face=_changed("face", skin=wanted, freckles=0.0), beard=_changed("beard", cover=0.0))
    for part in (Part.SKIN, Part.NOSE):
        assert np.abs(_mean_colour(sitter, part) - wanted).max() < 0.15


def test_pixels_labelled_cloth_have_the_garments_colour():
    wanted = np.array([0.82, 0.63, 0.23], np.float32)
    sitter = _plain_sitter(clothing=_changed("clothing", collar="crew", pattern="plain", colour=wanted))
    assert np.abs(_mean_colour(sitter, Part.CLOTH) - wanted).max() < 0.2


def test_only_a_clear_lens_lets_the_eyes_keep_their_label():
    eyes = []
    for tint in (0.0, 0.9):
        _, labels = draw(_plain_sitter(glasses=_changed("glasses", kind="round", tint=tint)), 96)
        eyes.append(np.isin(labels, [Part.L_EYE, Part.R_EYE]).sum())
    assert eyes[0] > 50
    assert eyes[1] == 0


@pytest.mark.parametrize("side", [-1, 1])
def test_the_face_is_brighter_on_the_side_of_the_light(side):
    face = _changed("face", skin=np.array([0.8, 0.6, 0.5], np.float32))
    pose = _changed("pose", x=0.0, tilt=0.0, yaw=0.0)
    light = _changed("light", x=0.8 * side, y=-0.6, strength=1.0)
    image, labels = draw(_plain_sitter(face=face, pose=pose, light=light), 96)
    skin, right = labels == Part.SKIN, np.arange(96)[None, :] >= 48
    assert side * (image[skin & right].mean() - image[skin & ~right].mean()) > 8


@pytest.mark.parametrize(
    ("field", "attribute", "kinds"),
    [
        ("hair", "cut", CUTS),
        ("hat", "kind", HATS),
        ("glasses", "kind", RIMS),
        ("clothing", "collar", COLLARS),
        ("clothing", "pattern", PATTERNS),
        ("backdrop", "scene", SCENES),
    ],
)
def test_each_kind_in_the_tables_can_be_drawn_and_looks_like_no_other(field, attribute, kinds):
    traits = sample_traits(2, 9)
    pictures = set()
    for kind in kinds:
        trait = getattr(traits, field)._replace(**{attribute: kind})
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            pictures.add(draw(traits._replace(**{field: trait}), 40)[0].tobytes())
    assert len(pictures) == len(kinds)


def test_nothing_is_nan_or_out_of_float32(monkeypatch):
    seen = []

    def spy(rgb, factor):
        seen.append((rgb.dtype, bool(np.isfinite(rgb).all()), float(rgb.min()), float(rgb.max())))
        return to_image(rgb, factor)

    monkeypatch.setattr("scan_jax.data.portraits.to_image", spy)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        for index in range(40):
            portrait(9, index, 40)
    assert all(dtype == np.float32 and finite for dtype, finite, _, _ in seen)
    assert min(low for _, _, low, _ in seen) > -0.3
    assert max(high for _, _, _, high in seen) < 1.5


def test_block_labels_are_the_majority():
    labels = np.array([[1, 2, 5, 6], [2, 2, 7, 7], [3, 4, 0, 0], [4, 3, 0, 9]], np.uint8)
    small = to_labels(labels, 2)
    assert small[0, 0] == 2 and small[0, 1] == 7 and small[1, 0] in (3, 4) and small[1, 1] == 0


def test_noise_is_a_function_of_position_alone():
    x = np.linspace(-7, 9, 31, dtype=np.float32)[None, :]
    y = np.linspace(-3, 5, 17, dtype=np.float32)[:, None]
    full = grid_noise(x, y)
    np.testing.assert_allclose(full[3:9, 5:20], grid_noise(x[:, 5:20], y[3:9]), rtol=0, atol=0)
    grid_x, grid_y = np.broadcast_arrays(x, y)
    np.testing.assert_allclose(full, plane_noise(grid_x, grid_y), atol=1e-5)
    for noise in (full, line_noise(x), fractal(x, y, 3)):
        assert noise.min() >= 0 and noise.max() <= 1 and noise.std() > 0.05
