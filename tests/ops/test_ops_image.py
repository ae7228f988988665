"""Edges, high frequencies and completion: from known pixels alone."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from jax.test_util import check_grads

from scan_jax.ops.image import complete, high_frequency, sobel_gradient

PICTURES = [jax.jit(sobel_gradient), jax.jit(lambda image, known: high_frequency(image, known, 1.5))]


def picture(shape=(2, 17, 23, 3), seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def random_known(shape=(2, 17, 23, 1), share=0.6, seed=1):
    return (np.random.default_rng(seed).random(shape) < share).astype(np.float32)


@pytest.mark.parametrize("function", PICTURES, ids=["sobel", "high_frequency"])
@pytest.mark.parametrize("garbage", [0.0, 1.0, 1e6, np.nan])
def test_hole_pixels_have_no_influence(function, garbage):
    image, known = picture(), random_known()
    spoilt = np.where(known == 1, image, np.float32(garbage))
    np.testing.assert_array_equal(function(spoilt, known), function(image, known))


@pytest.mark.parametrize("function", PICTURES, ids=["sobel", "high_frequency"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_a_constant_image_has_neither_edges_nor_high_frequencies(function, share):
    image = np.full((1, 17, 23, 3), 0.7, np.float32)
    np.testing.assert_allclose(function(image, random_known((1, 17, 23, 1), share)), 0.0, atol=1e-6)


@pytest.mark.parametrize("function", PICTURES, ids=["sobel", "high_frequency"])
def test_the_hole_is_zero(function):
    image, known = picture(), random_known()
    result = np.asarray(function(image, known))
    assert np.all(result[np.broadcast_to(known == 0, image.shape)] == 0)
    assert np.abs(result[np.broadcast_to(known == 1, image.shape)]).mean() > 0.05
    np.testing.assert_array_equal(function(image, np.zeros_like(known)), 0.0)


def test_sobel_is_opencv_and_scipy_inside_a_known_image():
    image = picture()
    result = np.asarray(sobel_gradient(image, np.ones((2, 17, 23, 1), np.float32)))
    across, down = (cv2.Sobel(image[0].astype(np.float64), cv2.CV_64F, dx, dy, ksize=3) for dx, dy in ((1, 0), (0, 1)))
    np.testing.assert_allclose(result[0, 1:-1, 1:-1], np.hypot(across, down)[1:-1, 1:-1], atol=1e-5)
    wide = image[1].astype(np.float64)
    for channel in range(3):  # SciPy smooths along every other axis, so channel by channel
        slopes = [scipy.ndimage.sobel(wide[..., channel], axis=axis) for axis in (0, 1)]
        np.testing.assert_allclose(result[1, 1:-1, 1:-1, channel], np.hypot(*slopes)[1:-1, 1:-1], atol=1e-5)


def test_a_plane_keeps_its_slope_up_to_the_rim_of_the_hole():
    rows, columns = np.mgrid[:17, :23]
    image = np.repeat((0.01 * rows + 0.02 * columns)[None, ..., None], 3, axis=-1).astype(np.float32)
    known = np.ones((1, 17, 23, 1), np.float32)
    known[0, 4:11, 5:16] = 0
    result = np.asarray(sobel_gradient(image, known))
    expected = 8 * np.hypot(0.01, 0.02) * np.repeat(known, 3, axis=-1)
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5])
def test_high_frequency_is_the_normalised_blur_taken_away(sigma):
    image, known = picture(), random_known()
    radius = int(np.ceil(3 * sigma))
    blurs = []
    for field in (image.astype(np.float64) * known, np.float64(known)):
        for axis in (1, 2):
            field = scipy.ndimage.gaussian_filter1d(field, sigma, axis=axis, mode="constant", radius=radius)
        blurs.append(field)
    oracle = np.where(known == 1, image - blurs[0] / np.where(known == 1, blurs[1], 1), 0)
    np.testing.assert_allclose(high_frequency(image, known, sigma), oracle, atol=1e-6)


@pytest.mark.parametrize("function", PICTURES, ids=["sobel", "high_frequency"])
def test_gradients(function):
    image, known = picture((1, 5, 6, 3)), random_known((1, 5, 6, 1), 0.8)
    check_grads(
        jax.jit(lambda image: function(image, known)), (image,), 1, modes=["fwd", "rev"], atol=2e-2, rtol=2e-2, eps=1e-3
    )
    flat = jax.jit(jax.grad(lambda image: jnp.sum(function(image, known))))(jnp.ones((1, 5, 6, 3)))
    assert np.isfinite(flat).all()


def test_bfloat16_in_and_out():
    image, known = jnp.bfloat16(picture()), jnp.bfloat16(random_known())
    for function in PICTURES:
        result = function(image, known)
        assert result.dtype == jnp.bfloat16
        exact = function(np.float32(image), np.float32(known))
        np.testing.assert_allclose(np.float32(result), exact, atol=2**-8 * float(np.abs(exact).max()))
    assert complete(image, image, known).dtype == jnp.bfloat16


def test_completion_takes_each_pixel_from_its_source_bit_for_bit():
    image, prediction, known = picture(), picture(seed=5), random_known()
    prediction[np.broadcast_to(known == 1, image.shape)] = np.nan
    image[np.broadcast_to(known == 0, image.shape)] = np.inf
    result = np.asarray(complete(image, prediction, known))
    np.testing.assert_array_equal(result, np.where(known == 1, image, prediction))
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(complete(image, prediction, np.ones_like(known)), image)
    np.testing.assert_array_equal(complete(image, prediction, np.zeros_like(known)), prediction)


def test_completion_passes_gradients_to_the_hole_alone():
    image, prediction, known = picture(), picture(seed=5), random_known()
    slopes = jax.grad(lambda i, p: jnp.sum(complete(i, p, known)), argnums=(0, 1))(image, prediction)
    np.testing.assert_array_equal(slopes[0], np.broadcast_to(known, image.shape))
    np.testing.assert_array_equal(slopes[1], np.broadcast_to(1 - known, image.shape))


def test_wrong_inputs_are_named():
    image, known = jnp.zeros((2, 5, 5, 3)), jnp.ones((2, 5, 5, 1))
    for run in (
        lambda: sobel_gradient(image, known[:1]),
        lambda: sobel_gradient(image[0], known[0]),
        lambda: sobel_gradient(image[..., :1], known),
        lambda: high_frequency(image, image, 1.0),
        lambda: high_frequency(image, known, 0.0),
        lambda: complete(image, image[:1], known),
        lambda: complete(image, image, known[..., 0]),
    ):
        with pytest.raises(ValueError, match="must be"):
            run()
