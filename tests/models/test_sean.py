"""The SEAN generator: what it may read, whom it may depend on, its size, its gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sean_variables import random_variables

from scan_jax.models.sean import Sean
from scan_jax.models.style_encoder import StyleEncoder, class_means

N, SIZE = 5, (64, 32)
MODEL = Sean(N, width=2, style_size=6, hidden=3, target=5e-4)


def draw(count=2):
    image = jax.random.uniform(jax.random.key(1), (count, *SIZE, 3))
    known = (jax.random.uniform(jax.random.key(2), (count, *SIZE, 1)) > 0.3).astype(jnp.float32)
    labels = jax.random.randint(jax.random.key(3), (count, *SIZE), -1, N - 1)  # -1 is no class, N-1 is absent
    return image * known, known, labels, jax.random.split(jax.random.key(4), count)


@functools.cache
def variables():
    return random_variables(MODEL, *draw(), train=False)


@jax.jit
def encode(image, known, labels):
    return MODEL.apply(variables(), image, known, labels, method="encode")


@jax.jit
def decode(styles, labels, keys):
    return MODEL.apply(
        variables(), styles, labels, keys, train=False, mutable=["batch_stats", "spectral"], method="decode"
    )


def evaluate(image, known, labels, keys):
    """Both halves, compiled apart; the parity test runs them as one."""
    return decode(encode(image, known, labels), labels, keys)[0]


def test_the_image_is_in_range_and_varies():
    found = evaluate(*draw())
    assert found.shape == (2, *SIZE, 3) and found.dtype == jnp.float32
    assert 0 <= float(found.min()) < float(found.max()) <= 1
    assert float(found.std()) > 1e-3


def test_what_stands_in_the_hole_is_not_read():
    image, known, labels, keys = draw()
    np.testing.assert_array_equal(
        evaluate(image, known, labels, keys), evaluate(image + 0.7 * (1 - known), known, labels, keys)
    )
    assert float(jnp.abs(evaluate(image, known, labels, keys) - evaluate(1 - image, known, labels, keys)).max()) > 1e-4


def test_an_image_does_not_depend_on_its_batch():
    inputs = draw()
    whole, turned = evaluate(*inputs), evaluate(*(part[::-1] for part in inputs))
    np.testing.assert_allclose(whole, turned[::-1], rtol=1e-5, atol=1e-5)
    other = evaluate(*(part.at[0].set(part[1]) if part.ndim > 1 else part for part in inputs))
    np.testing.assert_allclose(whole[1], other[1], rtol=1e-5, atol=1e-5)


def test_one_style_a_class_and_none_for_an_absent_one():
    styles = encode(*draw()[:3])
    assert styles.shape == (2, N, 6) and styles.dtype == jnp.float32
    np.testing.assert_array_equal(styles[:, N - 1], 0)
    assert float(jnp.abs(styles[:, : N - 1]).min()) > 0 and float(jnp.abs(styles).max()) < 1


def test_training_moves_the_statistics_and_gradients_are_finite_everywhere():
    image, known, labels, keys = draw()
    start = variables()

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def loss(params):
        found, changed = MODEL.apply(
            {**start, "params": params},
            *(image, known, labels, keys),
            train=True,
            mutable=["batch_stats", "spectral", "losses"],
        )
        return jnp.mean(jnp.square(found - image)) + sum(x.mean() for x in jax.tree.leaves(changed["losses"])), changed

    (_, changed), gradient = loss(start["params"])
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(leaf).all(), path
        # a bias in front of a normalisation is taken away again
        assert np.abs(leaf).max() > 0 or "bias" in jax.tree_util.keystr(path), path
    moved = jax.tree_util.tree_leaves_with_path(changed["batch_stats"])
    assert len(moved) == 2 * 18  # mean and variance of every style norm
    before = jax.tree.leaves(start["batch_stats"])
    assert all(not np.array_equal(leaf, old) for (_, leaf), old in zip(moved, before))
    assert all(
        not np.array_equal(new["u"], old["u"])
        for new, old in zip(vectors(changed["spectral"]), vectors(start["spectral"]))
        if new["u"].size > 1
    )


def vectors(tree):
    return jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, dict) and "u" in node)


def test_evaluation_is_pure():
    _, same = decode(jnp.ones((2, N, 6)), *draw()[2:])
    for collection in ("batch_stats", "spectral"):
        jax.tree.map(np.testing.assert_array_equal, same[collection], variables()[collection])


def parameters(model, size=256):
    shapes = (1, size, size, 3), (1, size, size, 1), (1, size, size)
    inputs = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in zip(shapes, ("float32", "float32", "int32"))]
    made = jax.eval_shape(lambda *x: model.init(jax.random.key(0), *x, None, train=False), *inputs)
    return {half: sum(leaf.size for leaf in jax.tree.leaves(tree)) for half, tree in made["params"].items()}


def test_as_many_parameters_as_the_published_generator():
    """266,907,367 at 19 classes, counted in the public code: 1,568,576 in its encoder, the rest beside it."""
    found = parameters(Sean(19, attention="none"))
    assert found["decoder"] == 266_907_367 - 1_568_576 - 6  # two unused blending scalars in each norm of the last block
    assert found["encoder"] == 1_568_576 + 9 * 32  # `known` is one more input channel
    attention = parameters(Sean(19))["encoder"] - found["encoder"]
    assert attention == 2 * (256 * 32 + 32) + 256 * 256 + 256 + 1


@pytest.mark.parametrize("size", [(64, 64), (512, 512), (96, 160)])
def test_sizes(size):
    model = Sean(7, width=8, style_size=16)
    shapes = ((2, *size, 3), "float32"), ((2, *size, 1), "float32"), ((2, *size), "int32")
    inputs = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes]
    found, _ = jax.eval_shape(lambda *x: model.init_with_output(jax.random.key(0), *x, None, train=True), *inputs)
    assert found.shape == (2, *size, 3)


def test_a_size_that_does_not_fit_is_refused():
    image, known, labels, keys = (part[:, :48] if part.ndim > 1 else part for part in draw())
    with pytest.raises(ValueError, match="multiples of 32"):
        MODEL.apply(variables(), image, known, labels, keys, train=False)


def test_class_means_against_numpy():
    codes = np.asarray(jax.random.normal(jax.random.key(0), (2, 7, 5, 3)))
    labels = np.asarray(jax.random.randint(jax.random.key(1), (2, 7, 5), -1, N - 1))
    found = class_means(jnp.asarray(codes), jnp.asarray(labels), N)
    for sample, label in np.ndindex(2, N):
        chosen = codes[sample][labels[sample] == label].astype(np.float64)
        wanted = chosen.mean(0) if len(chosen) else np.zeros(3)
        np.testing.assert_allclose(found[sample, label], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("known", [0.0, 1.0])
def test_nothing_known_and_everything_known_are_answered(known):
    image, whole, labels = jnp.full((1, 16, 16, 3), 0.5), jnp.full((1, 16, 16, 1), known), jnp.zeros((1, 16, 16), int)
    encoder = StyleEncoder(N, 4, 6)

    def total(params, image):
        styles = encoder.apply(params, image * whole, whole, labels)
        return styles.sum(), styles

    params = random_variables(encoder, image, whole, labels)
    gradient, styles = jax.jit(jax.grad(total, argnums=(0, 1), has_aux=True))(params, image)
    assert np.isfinite(styles).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_without_attention_there_is_no_attention_layer():
    encoder = StyleEncoder(N, 4, 6, "none", target=5e-4)
    inputs = jnp.zeros((1, 16, 16, 3)), jnp.ones((1, 16, 16, 1)), jnp.zeros((1, 16, 16), int)
    made = jax.eval_shape(lambda: encoder.init(jax.random.key(0), *inputs))
    assert "attention" not in made["params"] and "losses" not in made


def test_bfloat16_stays_near_float32():
    inputs = draw()
    half = Sean(N, width=2, style_size=6, hidden=3, dtype=jnp.bfloat16)
    found = jax.jit(functools.partial(half.apply, train=False))(variables(), *inputs)
    assert found.dtype == jnp.float32
    assert float(jnp.abs(found - evaluate(*inputs)).mean()) < 0.03
