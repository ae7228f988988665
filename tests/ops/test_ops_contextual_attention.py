"""Contextual attention against the literal form, patch by patch, in float64; its map is shrunk as TensorFlow does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.ops.contextual_attention import contextual_attention, contextual_weights
from scan_jax.ops.image import shrink_nearest

attend = jax.jit(contextual_attention)


def patch(x, row, column, size, before):
    """The patch of [H,W,C] whose first pixel is `before` above and left of a place; zeros outside."""
    padded = np.pad(x, ((before, size), (before, size), (0, 0)))
    return padded[row : row + size, column : column + size]


def fuse(scores):
    """Adds to each pair of places those one further and one back along both orders: [N,N]."""
    around = np.pad(scores, 1)
    return around[:-2, :-2] + scores + around[2:, 2:]


def literal_weights(x, hole, scale):
    """Of one image: [h,w,C], [h,w,1] -> [h*w,h*w]."""
    height, width = x.shape[:2]
    places = list(np.ndindex(height, width))
    patches = np.stack([patch(x, *there, 3, 1).ravel() for there in places])
    keys = patches / np.maximum(np.linalg.norm(patches, axis=1, keepdims=True), 1e-4)
    scores = fuse(patches @ keys.T)
    by_columns = [row * width + column for column in range(width) for row in range(height)]
    turned = fuse(scores[np.ix_(by_columns, by_columns)])
    scores = np.zeros_like(scores)
    scores[np.ix_(by_columns, by_columns)] = turned
    valid = np.array([not patch(hole, *there, 3, 1).any() for there in places], np.float64)
    logits = scale * scores * valid
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True) * valid


def halves(x):
    """Every other row and column of [H,W,C], even ones in the first half and odd ones in the second, as TensorFlow."""
    for axis in (0, 1):
        count = x.shape[axis] // 2
        rows = [int(np.floor(y * (2 * count - 1) / max(count - 1, 1) + 0.5)) for y in range(count)]
        x = np.take(x, rows, axis=axis)
    return x


def literal(x, hole, scale=10.0):
    """A batch, image by image: [B,H,W,C], [B,H,W,1] -> [B,H,W,C]."""
    result = []
    for image, its_hole in zip(x.astype(np.float64), hole.astype(np.float64)):
        small = halves(image)
        weights = literal_weights(small, halves(its_hole), scale)
        places = list(np.ndindex(small.shape[:2]))
        blocks = np.stack([patch(image, 2 * row, 2 * column, 4, 1) / 4 for row, column in places])
        pasted = np.zeros((image.shape[0] + 4, image.shape[1] + 4, image.shape[2]))
        for p, (row, column) in enumerate(places):
            place = np.s_[2 * row + 1 : 2 * row + 5, 2 * column + 1 : 2 * column + 5]
            pasted[place] += np.einsum("q,qijc->ijc", weights[p], blocks)
        result.append(pasted[2:-2, 2:-2])
    return np.stack(result)


def draw(height, width, channels=3, batch=2, size=1.0):
    rng = np.random.default_rng(height * width)
    x = size * rng.normal(size=(batch, height, width, channels))
    hole = np.zeros((batch, height, width, 1), np.float32)
    hole[0, height // 2 :, : width // 4] = 1
    hole[1:, :2, width // 2 :] = 1  # another one: each image has its own
    return x.astype(np.float32), hole


@pytest.mark.parametrize(("height", "width"), [(8, 8), (10, 6), (6, 14), (2, 12)])
def test_it_is_the_literal_form(height, width):
    x, hole = draw(height, width, size=0.3)
    found, wanted = attend(x, hole), literal(x, hole)
    assert np.linalg.norm(found - wanted) < 1e-5 * np.linalg.norm(wanted)
    assert np.linalg.norm(wanted) > 0.1


def test_weights_are_the_literal_ones_and_each_image_has_its_own_hole():
    x, hole = draw(5, 7, size=0.3)
    found = jax.jit(contextual_weights)(x, hole)
    for image in range(2):
        wanted = literal_weights(x[image].astype(np.float64), hole[image], 10.0)
        np.testing.assert_allclose(found[image].reshape(35, 35), wanted, atol=1e-5)
    touched = [np.flatnonzero(weights.reshape(35, 35).max(0) == 0) for weights in found]
    assert len(touched[0]) and len(touched[1])
    assert not np.array_equal(*touched)


@jax.jit
def attend_with_slope(x, hole):
    """What comes out, and the slope of the sum of its sines."""
    found, pull = jax.vjp(lambda x: contextual_attention(x, hole), x)
    return found, *pull(jnp.cos(found))


def test_no_hole_and_nothing_but_hole():
    x, hole = draw(8, 6)
    x[:, :3] = 0  # patches without any length
    for share in (0, 1):
        found, slope = attend_with_slope(x, np.full_like(hole, share))
        np.testing.assert_allclose(found, literal(x, np.full_like(hole, share)), atol=1e-4)
        assert np.isfinite(slope).all()
        assert share == 0 or not np.any(found)


def test_gradient_is_that_of_the_literal_form():
    x, hole = draw(8, 6, size=0.3)
    slope = np.asarray(attend_with_slope(x, hole)[1])
    for direction in 1e-4 * np.random.default_rng(1).normal(size=(3, *x.shape)):
        up, down = (np.sin(literal(x + way * direction, hole)).sum() for way in (1, -1))
        np.testing.assert_allclose(np.vdot(slope, direction), (up - down) / 2, rtol=1e-3, atol=1e-8)


def test_the_hole_is_filled_from_its_surroundings_alone():
    """Whatever stands in the hole is looked for, and never taken."""
    x, hole = draw(16, 16, channels=4)
    marked = np.where(hole > 0, np.float32(1000), np.clip(x, -1, 1))
    assert float(np.abs(attend(marked, hole)).max()) <= 1.0 + 1e-5


def test_bfloat16_stays_near_float32():
    x, hole = draw(8, 8, channels=3, size=0.1)
    x = x.astype(jnp.bfloat16)
    rough, exact = attend(x, hole), np.asarray(attend(x.astype(np.float32), hole))
    assert rough.dtype == jnp.bfloat16
    np.testing.assert_allclose(rough.astype(np.float32), exact, atol=2e-2 * np.abs(exact).max())


def test_other_shapes_are_refused():
    refused("H and W even", contextual_attention, (np.zeros((1, 7, 8, 2)), np.zeros((1, 7, 8, 1))))
    refused(r"hole \[B,h,w,1\]", contextual_weights, (np.zeros((1, 4, 4, 2)), np.zeros((1, 4, 2, 1))))
    for shape, factor in (((4, 4, 1), 2), ((1, 6, 4, 1), 4), ((1, 4, 6, 1), 4), ((1, 4, 4, 1), 0)):
        refused("multiples of", shrink_nearest, (np.zeros(shape), factor))


COUNTS = (1, 2, 3, 4, 5, 8, 16, 32, 33, 64)


def tensorflow_rows(count, factor):
    """Which rows TensorFlow 1 takes: round(y * (H - 1) / (n - 1)) in float32, halves away from zero."""
    height = count * factor
    scale = np.float32(height - 1) / np.float32(count - 1) if count > 1 else np.float32(factor)
    rows = [int(np.floor(np.float64(np.float32(y) * scale) + 0.5)) for y in range(count)]
    return np.minimum(rows, height - 1)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_shrinking_takes_the_rows_and_columns_that_tensorflow_takes(factor):
    columns = 6
    maps = [np.arange(n * factor * columns * factor, dtype=np.float32).reshape(1, n * factor, -1, 1) for n in COUNTS]
    shrunk = jax.jit(lambda maps: [shrink_nearest(one, factor) for one in maps])(maps)
    for count, x, found in zip(COUNTS, maps, shrunk, strict=True):
        wanted = x[:, tensorflow_rows(count, factor)][:, :, tensorflow_rows(columns, factor)]
        np.testing.assert_array_equal(found, wanted)
