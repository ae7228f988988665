"""Edges, high frequencies and completion, from known pixels alone; brightness, and ImageNet's normalisation."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from jax.test_util import check_grads
from refusals import refused
from skimage.color import rgb2gray

from scan_jax.ops.image import complete, high_frequency, luma, sobel_gradient
from scan_jax.ops.imagenet import denormalize, normalize

PICTURES = [jax.jit(sobel_gradient), jax.jit(lambda image, known: high_frequency(image, known, 1.5))]
each_picture = pytest.mark.parametrize("function", PICTURES, ids=["sobel", "high_frequency"])


def picture(shape=(2, 17, 23, 3), seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def random_known(shape=(2, 17, 23, 1), share=0.6, seed=1):
    return (np.random.default_rng(seed).random(shape) < share).astype(np.float32)


@each_picture
def test_hole_pixels_have_no_influence_and_are_zero(function):
    image, known = picture(), random_known()
    result = np.asarray(function(image, known))
    for garbage in (0.0, 1.0, 1e6, np.nan):
        spoilt = np.where(known == 1, image, np.float32(garbage))
        np.testing.assert_array_equal(function(spoilt, known), result)
    assert np.all(result[np.broadcast_to(known == 0, image.shape)] == 0)
    assert np.abs(result[np.broadcast_to(known == 1, image.shape)]).mean() > 0.05
    np.testing.assert_array_equal(function(image, np.zeros_like(known)), 0.0)


@each_picture
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_a_constant_image_has_neither_edges_nor_high_frequencies(function, share):
    image = np.full((2, 17, 23, 3), 0.7, np.float32)
    np.testing.assert_allclose(function(image, random_known(share=share)), 0.0, atol=1e-6)


def test_sobel_is_opencvs_inside_a_known_image():
    images = picture()
    result = PICTURES[0](images, np.ones((2, 17, 23, 1), np.float32))
    for found, image in zip(result, np.float64(images), strict=True):
        slopes = (cv2.Sobel(image, cv2.CV_64F, *way, ksize=3) for way in ((1, 0), (0, 1)))
        np.testing.assert_allclose(found[1:-1, 1:-1], np.hypot(*slopes)[1:-1, 1:-1], atol=1e-5)


def test_a_plane_keeps_its_slope_up_to_the_rim_of_the_hole():
    rows, columns = np.mgrid[:17, :23]
    image = np.float32((0.01 * rows + 0.02 * columns)[None, ..., None] + np.zeros((2, 1, 1, 3)))
    known = np.ones((2, 17, 23, 1), np.float32)
    known[0, 4:11, 5:16] = 0
    expected = 8 * np.hypot(0.01, 0.02) * np.repeat(known, 3, axis=-1)
    np.testing.assert_allclose(PICTURES[0](image, known), expected, atol=1e-5)


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
    np.testing.assert_allclose(jax.jit(lambda *x: high_frequency(*x, sigma))(image, known), oracle, atol=1e-6)


@each_picture
def test_gradients(function):
    image, known = picture((1, 5, 6, 3)), random_known((1, 5, 6, 1), 0.8)
    tolerances = {"atol": 2e-2, "rtol": 2e-2, "eps": 1e-3}
    check_grads(jax.jit(lambda image: function(image, known)), (image,), 1, modes=["rev"], **tolerances)
    flat = jax.jit(jax.grad(lambda image: jnp.sum(function(image, known))))(np.ones_like(image))
    assert np.isfinite(flat).all()


def test_bfloat16_in_and_out():
    image, known = picture().astype(jnp.bfloat16), random_known().astype(jnp.bfloat16)
    for function in PICTURES:
        result = function(image, known)
        assert result.dtype == jnp.bfloat16
        exact = function(np.float32(image), np.float32(known))
        np.testing.assert_allclose(np.float32(result), exact, atol=2**-8 * float(np.abs(exact).max()))
    assert complete(image, image, known).dtype == jnp.bfloat16


def test_completion_takes_each_pixel_from_its_source_bit_for_bit_and_its_gradient_goes_there():
    image, prediction, known = picture(), picture(seed=5), random_known()
    prediction[np.broadcast_to(known == 1, image.shape)] = np.nan
    image[np.broadcast_to(known == 0, image.shape)] = np.inf

    @jax.jit
    def run(image, prediction, known):
        result, pull = jax.vjp(lambda *x: complete(*x, known), image, prediction)
        return result, *pull(jnp.ones_like(result))

    result, to_image, to_prediction = run(image, prediction, known)
    np.testing.assert_array_equal(result, np.where(known == 1, image, prediction))
    np.testing.assert_array_equal(to_image, np.broadcast_to(known, image.shape))
    np.testing.assert_array_equal(to_prediction, np.broadcast_to(1 - known, image.shape))
    np.testing.assert_array_equal(run(image, prediction, np.ones_like(known))[0], image)
    np.testing.assert_array_equal(run(image, prediction, np.zeros_like(known))[0], prediction)


def test_wrong_inputs_are_named():
    image, known = np.zeros((2, 5, 5, 3)), np.ones((2, 5, 5, 1))
    refused("must be", sobel_gradient, (image, known[:1]), (image[0], known[0]), (image[..., :1], known))
    refused("must be", high_frequency, (image, image, 1.0), (image, known, 0.0))
    refused("must be", complete, (image, image[:1], known), (image, image, known[..., 0]))
    for convert in (normalize, denormalize):
        refused("B,H,W,3", convert, (image[0],))


def test_luma_is_scikit_images_and_imagenets_normalisation_goes_there_and_back():
    np.testing.assert_allclose(luma(picture())[..., 0], rgb2gray(picture()), atol=1e-6)
    image = np.random.default_rng(0).random((2, 3, 5, 3)).astype(np.float32)
    wanted = (image.astype(np.float64) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(normalize(jnp.asarray(image)), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(denormalize(normalize(jnp.asarray(image))), image, rtol=1e-5, atol=1e-6)
