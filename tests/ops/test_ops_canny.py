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
from small_methods import portrait_batches, small_method

from scan_jax.data.decode import read_image, square
from scan_jax.data.photo_folder import list_photographs
from scan_jax.ops.canny import canny
from scan_jax.ops.image import luma

ALLOWED = 2
PHOTOGRAPHS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png")  # which scikit-image brings along

skimage_feature = pytest.importorskip("skimage.feature")
jitted = jax.jit(canny, static_argnames=("sigma", "low", "high"))


def photograph(name):
    """[1,H,W,1] in [0, 1]."""
    import skimage

    path = Path(skimage.__file__).parent / "data" / name
    if not path.is_file():
        pytest.skip(f"this scikit-image has no {name}")
    return np.asarray(Image.open(path).convert("L"), np.float64)[None, ..., None] / 255


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
    found = np.asarray(jitted(jnp.asarray(gray, jnp.float32), jnp.asarray(known, jnp.float32), sigma=sigma))[..., 0]
    wanted = np.stack(
        [
            skimage_feature.canny(one, sigma=sigma, mask=None if seen.all() else seen)
            for one, seen in zip(np.asarray(gray, np.float64)[..., 0], np.asarray(known)[..., 0] > 0.5)
        ]
    )
    assert set(np.unique(found)) <= {0, 1}
    differences = (found != wanted).sum((1, 2))
    print(f"\n{differences} of {wanted.sum((1, 2))} edge pixels differ")
    return differences, wanted.sum((1, 2))


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs(name, holes):
    gray = photograph(name)
    differences, edges = wrong(gray, with_holes(gray.shape) if holes else np.ones_like(gray))
    assert differences.max() <= ALLOWED
    assert edges.min() > 1000, "there is something to find"


@pytest.mark.skipif("SCAN_JAX_PHOTOS" not in os.environ, reason="SCAN_JAX_PHOTOS names no folder of photographs")
@pytest.mark.parametrize("holes", [False, True])
def test_your_photographs(holes):
    """The first hundred of a folder, at 256x256."""
    files = list_photographs(Path(os.environ["SCAN_JAX_PHOTOS"]))[:100]
    images = np.stack([square(read_image(file.path), 256) for file in files])  # [B,256,256,3]
    gray = np.asarray(luma(jnp.asarray(images / 255, jnp.float32)))
    differences, edges = wrong(gray, with_holes(gray.shape) if holes else np.ones_like(gray))
    print(f"{differences.sum()} of {edges.sum()} in all, at most {differences.max()} of a photograph")
    assert differences.sum() <= 1e-4 * edges.sum()  # where one pixel differs, those that hang on it do, too


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.5])
def test_synthetic_portraits(sigma):
    batch = portrait_batches(small_method("scan"), 1, size=96)[0]
    gray = np.asarray(luma(jnp.asarray(batch.image)))
    for known in (np.ones_like(gray), np.asarray(batch.known)):
        differences, edges = wrong(gray, known, sigma)
        assert differences.max() <= ALLOWED
        assert edges.min() > 10


def test_noise_in_odd_sizes():
    """Smoothed noise has ridges of all directions and chains of all lengths."""
    gray = np.random.default_rng(0).random((3, 61, 87, 1))
    differences, edges = wrong(gray, with_holes(gray.shape), sigma=1.0)
    assert differences.max() <= ALLOWED
    assert edges.min() > 100


def test_a_long_weak_line_hangs_on_its_strong_end():
    """A spiral that fades: growth must go on until nothing changes."""
    gray = np.zeros((1, 96, 96, 1))
    turn = np.linspace(0, 6 * np.pi, 6000)
    rows, columns = (48 + (8 + 1.8 * turn) * f(turn) for f in (np.sin, np.cos))
    gray[0, rows.astype(int), columns.astype(int), 0] = np.linspace(0.45, 0.95, 6000)
    differences, edges = wrong(gray, np.ones_like(gray), sigma=1.0)
    assert differences.max() <= ALLOWED
    assert edges.min() > 500


def test_the_hole_and_the_batch_have_no_influence():
    gray = jnp.asarray(photograph("camera.png")[:, :128, 100:228], jnp.float32)
    pair = jnp.concatenate([gray, gray[:, ::-1]])
    known = jnp.asarray(with_holes(pair.shape), jnp.float32)
    found = jitted(pair, known)
    noise = jax.random.uniform(jax.random.key(0), pair.shape)
    np.testing.assert_array_equal(found, jitted(jnp.where(known > 0, pair, noise), known))
    np.testing.assert_array_equal(found[1:], jitted(pair[1:], known[1:]))
    assert not np.any(np.asarray(found) * (1 - np.asarray(known))), "no edge in the hole"


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_flat_and_unknown_pictures_have_no_edges(value):
    flat = jnp.full((1, 20, 30, 1), 0.7)
    assert not jitted(flat, jnp.full_like(flat, value)).any()
    assert not jitted(jax.random.uniform(jax.random.key(0), flat.shape), jnp.zeros_like(flat)).any()


def test_no_gradient_flows():
    gray = jax.random.uniform(jax.random.key(0), (1, 16, 16, 1))
    slope = jax.grad(lambda gray: (canny(gray, jnp.ones_like(gray), 1.0) * gray).sum())(gray)
    np.testing.assert_array_equal(slope, canny(gray, jnp.ones_like(gray), 1.0))


@pytest.mark.parametrize(
    ("shape", "options"), [((1, 8, 8, 3), {}), ((1, 8, 8, 1), {"sigma": 0.0}), ((1, 8, 8, 1), {"low": 0.3})]
)
def test_what_makes_no_sense_is_refused(shape, options):
    with pytest.raises(ValueError, match="must be"):
        canny(jnp.zeros(shape), jnp.zeros(shape), **options)
