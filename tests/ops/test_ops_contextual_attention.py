"""Contextual attention against the literal form: patch by patch, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from scan_jax.ops.contextual_attention import contextual_attention, contextual_weights


def patch(x, row, column, size, before):
    """The patch of [H,W,C] whose first pixel is `before` above and left of a place; zeros outside."""
    found = np.zeros((size, size, x.shape[2]))
    for i, j in np.ndindex(size, size):
        r, c = row + i - before, column + j - before
        if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]:
            found[i, j] = x[r, c]
    return found


def fuse(scores):
    """Adds to each pair of places those one further and one back along both orders: [N,N]."""
    around = np.pad(scores, 1)
    return around[:-2, :-2] + scores + around[2:, 2:]


def literal_weights(x, hole, scale):
    """Of one image: [h,w,C], [h,w,1] -> [h*w,h*w]."""
    height, width = x.shape[:2]
    places = list(np.ndindex(height, width))
    scores = np.zeros((len(places), len(places)))
    for q, there in enumerate(places):
        key = patch(x, *there, 3, 1)
        key = key / max(np.sqrt(np.sum(key**2)), 1e-4)
        for p, here in enumerate(places):
            scores[p, q] = np.sum(patch(x, *here, 3, 1) * key)
    scores = fuse(scores)
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
    for image, its_hole in zip(np.asarray(x, np.float64), np.asarray(hole, np.float64)):
        small = halves(image)
        weights = literal_weights(small, halves(its_hole), scale)
        height, width = small.shape[:2]
        pasted = np.zeros((image.shape[0] + 4, image.shape[1] + 4, image.shape[2]))
        for p, (row, column) in enumerate(np.ndindex(height, width)):
            for q, (r, c) in enumerate(np.ndindex(height, width)):
                pasted[2 * row + 1 : 2 * row + 5, 2 * column + 1 : 2 * column + 5] += (
                    weights[p, q] * patch(image, 2 * r, 2 * c, 4, 1) / 4
                )
        result.append(pasted[2:-2, 2:-2])
    return np.stack(result)


def draw(height, width, channels=3, batch=2, size=1.0):
    rng = np.random.default_rng(height * width)
    x = size * rng.normal(size=(batch, height, width, channels))
    hole = np.zeros((batch, height, width, 1))
    hole[0, height // 2 :, : width // 4] = 1
    hole[1:, :2, width // 2 :] = 1  # another one: each image has its own
    return jnp.asarray(x, jnp.float32), jnp.asarray(hole, jnp.float32)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (10, 6), (6, 14), (2, 12)])
def test_it_is_the_literal_form(height, width):
    x, hole = draw(height, width, size=0.3)
    found, wanted = jax.jit(contextual_attention)(x, hole), literal(x, hole)
    assert np.linalg.norm(found - wanted) < 1e-5 * np.linalg.norm(wanted)
    assert np.linalg.norm(wanted) > 0.1


def test_weights_are_the_literal_ones_and_each_image_has_its_own_hole():
    x, hole = draw(5, 7, size=0.3)
    found = jax.jit(contextual_weights)(x, hole)
    for image in range(2):
        wanted = literal_weights(np.asarray(x[image], np.float64), np.asarray(hole[image]), 10.0)
        np.testing.assert_allclose(found[image].reshape(35, 35), wanted, atol=1e-5)
    touched = [np.flatnonzero(weights.reshape(35, 35).max(0) == 0) for weights in found]
    assert len(touched[0]) and len(touched[1])
    assert not np.array_equal(*touched)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_hole_and_nothing_but_hole(share):
    x, hole = draw(8, 6)
    x = x.at[:, :3].set(0)  # patches without any length
    hole = jnp.full_like(hole, share)
    found = jax.jit(contextual_attention)(x, hole)
    np.testing.assert_allclose(found, literal(x, hole), atol=1e-4)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(jnp.sin(contextual_attention(x, hole)))))(x)
    assert np.isfinite(gradient).all()
    if share == 1:
        np.testing.assert_array_equal(found, 0)


def test_gradients():
    x, hole = draw(6, 8, channels=2, size=0.3)
    check_grads(jax.jit(lambda x: contextual_attention(x, hole)), (x,), order=1, modes=["rev"], atol=2e-2, rtol=2e-2)


def test_an_image_does_not_depend_on_its_batch():
    x, hole = draw(8, 8, batch=3)
    whole = jax.jit(contextual_attention)(x, hole)
    alone = jax.jit(contextual_attention)(x[1:2], hole[1:2])
    np.testing.assert_allclose(whole[1:2], alone, atol=1e-5)


def test_the_hole_is_filled_from_its_surroundings_alone():
    """Whatever stands in the hole is looked for, and never taken."""
    x, hole = draw(16, 16, channels=4)
    marked = jnp.where(hole > 0, 1000.0, jnp.clip(x, -1, 1))
    assert float(jnp.abs(jax.jit(contextual_attention)(marked, hole)).max()) <= 1.0 + 1e-5


def test_bfloat16_stays_near_float32():
    x, hole = draw(8, 8, channels=8, size=0.1)
    rough = jax.jit(contextual_attention)(x.astype(jnp.bfloat16), hole)
    exact = jax.jit(contextual_attention)(x.astype(jnp.bfloat16).astype(jnp.float32), hole)
    assert rough.dtype == jnp.bfloat16
    np.testing.assert_allclose(rough.astype(jnp.float32), exact, atol=2e-2 * float(jnp.abs(exact).max()))


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="H and W even"):
        contextual_attention(jnp.zeros((1, 7, 8, 2)), jnp.zeros((1, 7, 8, 1)))
    with pytest.raises(ValueError, match=r"hole \[B,h,w,1\]"):
        contextual_weights(jnp.zeros((1, 4, 4, 2)), jnp.zeros((1, 4, 2, 1)))
