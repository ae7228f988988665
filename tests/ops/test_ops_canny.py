"""Canny's edges against scikit-image, on its own photographs and on synthetic portraits, with and without holes.

Both compute the same, ours in 32 bits: where two neighbours are equally strong, or a pixel is at a threshold but for
rounding, the two may decide differently. ALLOWED is how many pixels of a picture may.
"""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from refusals import refused

from scan_jax.data.api import open_data
from scan_jax.data.photo_folder import list_photographs
from scan_jax.images.decode import read_image
from scan_jax.images.square import square
from scan_jax.ops.canny import canny
from scan_jax.ops.image import luma

ALLOWED = 2
PHOTOGRAPHS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png")  # which scikit-image brings along

feature = pytest.importorskip("skimage.feature")
jitted = jax.jit(canny, static_argnames=("sigma", "low", "high"))


@pytest.fixture(scope="module")
def photographs():
    """[4,255,383,1] in [0, 1]: one size, one program."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    if absent := [name for name in PHOTOGRAPHS if not (folder / name).is_file()]:
        pytest.skip(f"this scikit-image has no {absent[0]}")
    images = [np.asarray(Image.open(folder / name).convert("L"), np.float64) for name in PHOTOGRAPHS]
    return np.stack([image[30:285, 50:433, None] for image in images]) / 255


def with_holes(shape, seed=0):
    """[B,H,W,1] with rectangles unknown, two of them a pixel apart."""
    rng, known = np.random.default_rng(seed), np.ones(shape)
    for image in known:
        for _ in range(6):
            top, left = rng.integers(0, shape[1]), rng.integers(0, shape[2])
            image[top : top + shape[1] // 5, left : left + shape[2] // 6] = 0
        image[5:9, 3:7] = image[5:9, 8:20] = 0
    return known


def wrong(gray, known, sigma=2.0):
    """How many pixels of each image differ from scikit-image in 64 bits, and how many edges there are."""
    found = np.asarray(jitted(np.float32(gray), np.float32(known), sigma=sigma))[..., 0]
    pairs = zip(np.float64(gray)[..., 0], np.asarray(known)[..., 0] > 0.5, strict=True)
    wanted = np.stack([feature.canny(one, sigma=sigma, mask=None if seen.all() else seen) for one, seen in pairs])
    assert set(np.unique(found)) <= {0, 1}
    differences = (found != wanted).sum((1, 2))
    print(f"\n{differences} of {wanted.sum((1, 2))} edge pixels differ")
    return differences, wanted.sum((1, 2))


@pytest.mark.parametrize("holes", [False, True])
def test_photographs(photographs, holes):
    differences, edges = wrong(photographs, with_holes(photographs.shape) if holes else np.ones_like(photographs))
    assert differences.max() <= ALLOWED
    assert edges.min() > 1000, "there is something to find"


@pytest.mark.skipif("SCAN_JAX_PHOTOS" not in os.environ, reason="SCAN_JAX_PHOTOS names no folder of photographs")
@pytest.mark.parametrize("holes", [False, True])
def test_your_photographs(holes):
    """The first hundred of a folder, at 256x256."""
    files = list_photographs(Path(os.environ["SCAN_JAX_PHOTOS"]))[:100]
    images = np.stack([square(read_image(file.path), 256) for file in files])  # [B,256,256,3]
    gray = np.asarray(luma(np.float32(images / 255)))
    differences, edges = wrong(gray, with_holes(gray.shape) if holes else np.ones_like(gray))
    print(f"{differences.sum()} of {edges.sum()} in all, at most {differences.max()} of a photograph")
    assert differences.sum() <= 1e-4 * edges.sum()  # where one pixel differs, those that hang on it do, too


def test_synthetic_portraits():
    portraits = open_data({"name": "synthetic_portraits", "size": 96, "count": 6, "held_out": 1}).train
    images = np.stack([portraits[i]["image"] for i in range(6)]) / np.float32(255)
    gray = np.asarray(jax.jit(luma)(images))
    for sigma in (1.0, 3.5):
        for known in (np.ones_like(gray), with_holes(gray.shape)):
            differences, edges = wrong(gray, known, sigma)
            assert differences.max() <= ALLOWED
            assert edges.min() > 10


def test_noise_and_a_long_weak_line_that_hangs_on_its_strong_end():
    """Smoothed noise has ridges of all directions, chains of all lengths; of a fading spiral growth must take all."""
    gray = np.random.default_rng(0).random((3, 97, 101, 1))
    known, gray[2] = with_holes(gray.shape), 0
    known[2] = 1
    update = np.linspace(0, 6 * np.pi, 6000)
    rows, columns = (48 + (8 + 1.8 * update) * f(update) for f in (np.sin, np.cos))
    gray[2, rows.astype(int), columns.astype(int), 0] = np.linspace(0.45, 0.95, 6000)
    differences, edges = wrong(gray, known, sigma=1.0)
    assert differences.max() <= ALLOWED
    assert edges[:2].min() > 100 and edges[2] > 500


def test_the_hole_and_the_batch_have_no_influence(photographs):
    gray, known = np.float32(photographs), np.float32(with_holes(photographs.shape))
    found = jitted(gray, known, sigma=2.0)
    noise = np.random.default_rng(0).random(gray.shape, np.float32)
    np.testing.assert_array_equal(found, jitted(np.where(known > 0, gray, noise), known, sigma=2.0))
    noise[1:] = gray[1:]  # another first one
    np.testing.assert_array_equal(found[1:], jitted(noise, known, sigma=2.0)[1:])
    assert not np.any(np.asarray(found) * (1 - known)), "no edge in the hole"


def test_flat_and_unknown_pictures_have_no_edges():
    flat = np.full((1, 20, 30, 1), 0.7, np.float32)
    for gray, known in ((flat, 0), (flat, 1), (np.random.default_rng(0).random(flat.shape, np.float32), 0)):
        assert not jitted(gray, np.full_like(flat, known)).any()


def test_no_gradient_flows():
    gray = np.random.default_rng(0).random((1, 16, 16, 1), np.float32)

    def weighed(gray):
        edges = canny(gray, jnp.ones_like(gray), 1.0)
        return (edges * gray).sum(), edges

    slope, edges = jax.jit(jax.grad(weighed, has_aux=True))(gray)
    np.testing.assert_array_equal(slope, edges)
    assert edges.any()


def test_what_makes_no_sense_is_refused():
    one, three = np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8, 3))
    refused("must be", canny, (three, three), (one, one, 0.0))
    refused("must be", canny, (one, one), low=0.3)
