"""SEAN's generator: against its literal form in PyTorch, what it may read, whom it may depend on, its size."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from comparison import close
from sean_variables import random_variables

from scan_jax.models.sean import BLOCKS, Sean, StyleResidualBlock
from scan_jax.models.style_encoder import StyleEncoder, class_means

N, S, SIZE = 5, 6, (64, 32)
MODEL = Sean(N, width=2, style_size=S, hidden=3, target=5e-4)
SEEDS = np.arange(2)
CHANGING = ("batch_stats", "spectral", "losses")


def draw(height=64, width=32):
    rng = np.random.default_rng(1)
    image, known = rng.random((2, height, width, 3), np.float32), np.float32(rng.random((2, height, width, 1)) > 0.3)
    return image, known, rng.integers(-1, N - 1, (2, height, width), np.int32)  # -1 is no class, N-1 is absent


def maps(height, width, channels):
    rng = np.random.default_rng(1)
    x = 1 + 2 * rng.standard_normal((2, height, width, channels), np.float32)
    return x, rng.integers(0, N - 1, (2, height, width), np.int32), rng.standard_normal((2, N, S), np.float32)


def jitted(module):
    return jax.jit(module.apply, static_argnames=("train", "mutable"))


@functools.cache
def variables():
    return random_variables(MODEL, *draw(), None, train=False)


@jax.jit
def evaluate(variables, image, known, labels, seeds):
    """The image, the styles, and the statistics after it."""
    keys = jax.vmap(jax.random.key)(seeds)
    styles = MODEL.apply(variables, image, known, labels, method="encode")
    found, same = MODEL.apply(variables, styles, labels, keys, train=False, mutable=CHANGING[:2], method="decode")
    return found, styles, same


@functools.partial(jax.jit, static_argnames="size")
def noise(block, norm, size):
    """Drawn anew in every norm of every block."""
    keys = (jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), block), norm) for seed in SEEDS)
    return jnp.stack([jax.random.normal(key, (*size, 1)) for key in keys])


def literal(train):
    pytest.importorskip("torch")
    from torch_layers import part, to_numpy, to_torch, torch
    from torch_sean import Decoder, encode

    image, known, labels = map(to_torch, draw())
    with torch.no_grad():
        styles = encode(variables()["params"]["encoder"], image, known, labels, N)
        decoder = Decoder(part(variables(), "decoder"), [name for name, _, _ in BLOCKS]).train(train)
        return to_numpy(decoder(styles, labels, lambda *place: to_torch(noise(*place))))


def test_evaluation_equals_pytorch_and_changes_nothing():
    found, styles, same = evaluate(variables(), *draw(), SEEDS)
    assert found.dtype == styles.dtype == jnp.float32 and float(found.std()) > 1e-3
    close(found, literal(train=False))
    assert styles.shape == (2, N, S)
    np.testing.assert_array_equal(styles[:, N - 1], 0)  # of a class that is absent
    assert float(jnp.abs(styles[:, : N - 1]).min()) > 0 and float(jnp.abs(styles).max()) < 1
    jax.tree.map(np.testing.assert_array_equal, same, {name: variables()[name] for name in same})


@pytest.mark.slow
def test_training_equals_pytorch_moves_the_statistics_and_gradients_are_finite_everywhere():
    image, known, labels = draw()
    keys = jax.vmap(jax.random.key)(SEEDS)

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def step(params):
        given = {**variables(), "params": params}
        found, changed = MODEL.apply(given, image, known, labels, keys, train=True, mutable=CHANGING)
        losses = sum(x.mean() for x in jax.tree.leaves(changed["losses"]))
        return jnp.mean(jnp.square(found - image)) + losses, (found, changed)

    gradient, (found, changed) = step(variables()["params"])
    close(found, literal(train=True))
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(leaf).all(), path
        # a bias in front of a normalisation is taken away again
        assert np.abs(leaf).max() > 0 or "bias" in jax.tree_util.keystr(path), path
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), changed["batch_stats"], variables()["batch_stats"])
    assert len(jax.tree.leaves(moved)) == 2 * 18 and all(jax.tree.leaves(moved))  # mean and variance of each style norm
    for path, new in jax.tree_util.tree_leaves_with_path(changed["spectral"]):
        old = functools.reduce(lambda tree, key: tree[key.key], path, variables()["spectral"])
        assert new.size == 1 or not np.array_equal(new, old), path


def test_a_residual_block_equals_pytorch_in_training_and_evaluation():
    """One that widens the map; the generator has the others."""
    pytest.importorskip("torch")
    from torch_layers import to_numpy, to_torch
    from torch_sean import Block

    block, given = StyleResidualBlock(6, N, 3, jnp.float32), maps(5, 6, 3)
    ours = random_variables(block, *given, None, train=False)
    reference, apply = Block(ours, 3), jitted(block)
    for train in (True, True, False):
        found, changed = apply(ours, *given, None, train=train, mutable=CHANGING[:2])
        ours = {**ours, **changed}
        close(found, to_numpy(reference.train(train)(*map(to_torch, given))))
    for name, stats in ours["batch_stats"].items():
        norm = getattr(reference, name).norm
        np.testing.assert_allclose(stats["norm"]["mean"], norm.running_mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(stats["norm"]["variance"], norm.running_var, rtol=1e-5)


def test_without_attention_the_style_encoder_equals_pytorch():
    pytest.importorskip("torch")
    from torch_layers import to_torch
    from torch_sean import encode

    encoder, given = StyleEncoder(N, 4, S, "none", target=5e-4), draw(16, 12)
    ours = random_variables(encoder, *given)
    found, losses = jitted(encoder)(ours, *given, mutable=("losses",))
    assert "attention" not in ours["params"] and not losses
    close(found, encode(ours["params"], *map(to_torch, given), N).numpy())


def test_nothing_known_and_everything_known_have_finite_gradients():
    encoder, (image, known, labels) = StyleEncoder(N, 4, S), draw(16, 12)

    @jax.jit
    @functools.partial(jax.grad, argnums=(0, 1), has_aux=True)
    def read(params, image, known):
        styles = encoder.apply({"params": params}, image * known, known, labels)
        return styles.sum(), styles

    params = random_variables(encoder, image, known, labels)["params"]
    for answer in (read(params, image, np.full_like(known, value)) for value in (0, 1)):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(answer))


def traced(module, *shapes, **options):
    """What comes back of inputs of these shapes, and how many parameters there are."""
    kinds = {4: jnp.float32, 3: jnp.int32}
    inputs = [jax.ShapeDtypeStruct(shape, kinds[len(shape)]) for shape in shapes]
    found, made = jax.eval_shape(lambda *x: module.init_with_output(jax.random.key(0), *x, **options), *inputs)
    return found.shape, {name: sum(x.size for x in jax.tree.leaves(tree)) for name, tree in made["params"].items()}


def test_as_many_parameters_as_the_published_generator():
    """266,907,367 at 19 classes, counted in the public code: 1,568,576 in its encoder, the rest beside it."""
    shapes = (1, 96, 160, 3), (1, 96, 160, 1), (1, 96, 160)
    shape, found = traced(Sean(19, attention="none"), *shapes, keys=None, train=True)
    assert shape == shapes[0]
    assert found["decoder"] == 266_907_367 - 1_568_576 - 6  # two unused blending scalars in each norm of the last block
    assert found["encoder"] == 1_568_576 + 9 * 32  # `known` is one more input channel
    assert traced(StyleEncoder(19), *shapes)[1]["attention"] == 2 * (256 * 32 + 32) + 256 * 256 + 256 + 1


def test_class_means_against_numpy():
    rng = np.random.default_rng(0)
    codes, labels = rng.standard_normal((2, 7, 5, 3), np.float32), rng.integers(-1, N - 1, (2, 7, 5))
    found = jax.jit(class_means, static_argnums=2)(codes, labels, N)
    for sample, label in np.ndindex(2, N):
        chosen = codes[sample][labels[sample] == label].astype(np.float64)
        wanted = chosen.mean(0) if len(chosen) else np.zeros(3)
        np.testing.assert_allclose(found[sample, label], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_bfloat16_stays_near_float32():
    half = Sean(N, width=2, style_size=S, hidden=3, dtype=jnp.bfloat16)
    keys = jax.vmap(jax.random.key)(SEEDS)
    found = jax.jit(functools.partial(half.apply, train=False))(variables(), *draw(), keys)
    assert found.dtype == jnp.float32
    assert float(jnp.abs(found - evaluate(variables(), *draw(), SEEDS)[0]).mean()) < 0.03
