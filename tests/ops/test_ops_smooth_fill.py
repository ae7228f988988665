import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve
from skimage import data
from skimage.restoration import inpaint_biharmonic

from scan_jax.ops import smooth_fill
from scan_jax.ops.smooth_fill import biharmonic_fill, harmonic_fill

FUNCTIONS = {1: harmonic_fill, 2: biharmonic_fill}  # by the power of the Laplacian
FILLS = {power: jax.jit(fill) for power, fill in FUNCTIONS.items()}
EXACT = {power: jax.jit(functools.partial(fill, cycles=40, tolerance=0.0)) for power, fill in FUNCTIONS.items()}


def laplacian(height, width):
    def line(count):
        diagonal = np.r_[1.0, np.full(count - 2, 2.0), 1.0] if count > 1 else np.zeros(1)
        return sparse.diags([np.ones(count - 1), -diagonal, np.ones(count - 1)], [-1, 0, 1])

    return sparse.kron(line(height), sparse.eye(width)) + sparse.kron(sparse.eye(height), line(width))


def solve(image, hole, power):
    """In float64, by a sparse direct solver, from [H,W,C] and bool [H,W]."""
    system = (-laplacian(*hole.shape) if power == 1 else laplacian(*hole.shape) @ laplacian(*hole.shape)).tocsr()
    unknown, filled = hole.ravel(), np.where(hole[..., None], 0.0, image).reshape(hole.size, -1)
    right = -(system[unknown][:, ~unknown] @ filled[~unknown])
    filled[unknown] = spsolve(system[unknown][:, unknown].tocsc(), right).reshape(right.shape)
    known = filled[~unknown]
    return np.clip(filled, known.min(0), known.max(0)).reshape(image.shape)


def holes(kind, height, width, seed=0):
    rng = np.random.default_rng(seed)
    hole = np.zeros((height, width), bool)
    if kind == "border":
        hole[: height // 2, width // 3 :] = True
    elif kind == "strokes":
        for _ in range(6):
            row, column = rng.integers(0, height), rng.integers(0, width)
            hole[row : row + 3, column : column + width // 2] = True
            hole[row : row + height // 2, column : column + 4] = True
    elif kind == "few known":
        hole[:] = True
        hole[rng.integers(0, height, 9), rng.integers(0, width, 9)] = False
    else:
        hole[height // 4 : -height // 4, width // 4 : -width // 4] = True
    return hole


def smooth(height, width, channels=3):
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / (5.0 + c)) * np.cos(columns / (7.0 - c)) for c in range(channels)]
    return 0.5 + 0.4 * np.stack(waves, axis=-1)


@pytest.mark.parametrize("power, limit", [(1, 2e-4), (2, 4e-3)])
@pytest.mark.parametrize("kind", ["centre", "border", "strokes", "few known"])
@pytest.mark.parametrize("shape", [(64, 64), (37, 90)])
def test_equals_a_direct_solver(power, limit, kind, shape):
    image, hole = smooth(*shape), holes(kind, *shape)
    got = EXACT[power](jnp.asarray(image[None], jnp.float32), jnp.asarray(~hole[None, ..., None], jnp.float32))
    np.testing.assert_allclose(np.asarray(got[0]), solve(image, hole, power), atol=limit)


@pytest.mark.parametrize("power", [1, 2])
def test_float32_suffices_for_a_wide_hole(power):
    image, hole = smooth(256, 256, 1), holes("centre", 256, 256)
    got = EXACT[power](jnp.asarray(image[None], jnp.float32), jnp.asarray(~hole[None, ..., None], jnp.float32))
    np.testing.assert_allclose(np.asarray(got[0]), solve(image, hole, power), atol=2e-4)


@pytest.mark.parametrize("kind, limit", [("centre", 0.02), ("border", 0.02), ("strokes", 0.01)])
def test_cycles_end_when_little_changes_and_each_sample_at_its_own_time(kind, limit):
    image, others = smooth(64, 64)[None].repeat(2, 0), [holes(kind, 64, 64), holes("few known", 64, 64)]
    found, mate = (
        np.asarray(FILLS[2](jnp.asarray(image, jnp.float32), jnp.asarray(~np.stack(pair)[..., None], jnp.float32)))[0]
        for pair in (others, others[:1] * 2)
    )
    np.testing.assert_allclose(found, solve(image[0], others[0], 2), atol=limit)
    np.testing.assert_allclose(found, mate, atol=1e-5)


def test_a_photograph_is_filled_as_well_as_by_scikit_image():
    image = data.astronaut()[:128, 150:278] / 255.0
    hole = holes("strokes", 128, 128) | holes("strokes", 128, 128, seed=1)
    got = FILLS[2](jnp.asarray(image[None], jnp.float32), jnp.asarray(~hole[None, ..., None], jnp.float32))[0]
    theirs = inpaint_biharmonic(np.where(hole[..., None], 0, image), hole, channel_axis=-1)
    error, their_error = (np.mean((filled - image) ** 2) for filled in (np.asarray(got), theirs))
    assert abs(10 * np.log10(error / their_error)) < 0.05


def test_the_hole_is_not_read_and_known_pixels_stay():
    image, hole = smooth(64, 64)[None].repeat(2, 0), np.stack([holes("strokes", 64, 64), holes("border", 64, 64)])
    known = jnp.asarray(~hole[..., None], jnp.float32)
    whole = FILLS[2](jnp.asarray(image, jnp.float32), known)
    unread = FILLS[2](jnp.asarray(np.where(hole[..., None], np.nan, image), jnp.float32), known)
    np.testing.assert_array_equal(whole, unread)
    np.testing.assert_array_equal(np.asarray(whole)[~hole], image.astype(np.float32)[~hole])


@pytest.mark.parametrize("power", [1, 2])
def test_nothing_known_is_grey_and_no_hole_is_the_image(power):
    image = jnp.asarray(smooth(16, 24)[None].repeat(2, 0), jnp.bfloat16)
    known = jnp.stack([jnp.zeros((16, 24, 1)), jnp.ones((16, 24, 1))])
    got = FILLS[power](image, known)
    assert got.dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.asarray(got[0], np.float32), 0.5)
    np.testing.assert_array_equal(got[1], image[1])


@pytest.mark.parametrize("power", [1, 2])
def test_its_gradient_is_that_of_the_linear_system(power):
    image, hole = smooth(24, 24, 1), holes("centre", 24, 24)
    known = jnp.asarray(~hole[None, ..., None], jnp.float32)
    weights = np.random.default_rng(0).normal(size=image.shape)
    found = jax.jit(jax.grad(lambda x: jnp.sum(jnp.asarray(weights[None]) * EXACT[power](x, known))))(
        jnp.asarray(image[None], jnp.float32)
    )
    # The filling is linear in the known pixels: each column of its matrix is the filling of one of them.
    system = (laplacian(24, 24) if power == 1 else laplacian(24, 24) @ laplacian(24, 24)).toarray()
    unknown = hole.ravel()
    matrix = -np.linalg.solve(system[np.ix_(unknown, unknown)], system[np.ix_(unknown, ~unknown)])
    expected = np.zeros(hole.size)
    expected[~unknown] = weights.ravel()[~unknown] + matrix.T @ weights.ravel()[unknown]
    np.testing.assert_allclose(np.asarray(found).ravel(), expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.slow
def test_a_batch_in_groups_is_filled_as_at_once(monkeypatch):
    images = jnp.asarray(smooth(24, 16)[None] * np.linspace(0.5, 1, 6)[:, None, None, None], jnp.float32)
    known = jnp.stack([jnp.asarray(~holes("strokes", 24, 16, seed)[..., None], jnp.float32) for seed in range(6)])
    inside = jnp.ones_like(known).at[:, :, 14:].set(0)
    whole, groups = [], []
    for found, pixels in ((whole, 10**6), (groups, 2 * 24 * 16)):
        monkeypatch.setattr(smooth_fill, "GROUP", pixels)
        for more in ({}, {"inside": inside, "limits": jnp.asarray([[[0.1] * 3, [0.6] * 3]] * 6)}):

            def fill(image, more=more):
                filled = biharmonic_fill(image, known, **more)
                return jnp.sum(jnp.square(filled)), filled

            found += jax.tree.leaves(jax.jit(jax.value_and_grad(fill, has_aux=True))(images))
    for one, other in zip(whole, groups, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"image must be \[B,H,W,C\] and known \[B,H,W,1\], not"):
        harmonic_fill(jnp.zeros((1, 8, 8, 3)), jnp.zeros((1, 8, 9, 1)))
