import jax
import jax.numpy as jnp
import numpy as np
from refusals import refused

from scan_jax.losses.adversarial import (
    apart,
    critic_accuracy,
    hinge_critic,
    hinge_generator,
    logistic_critic,
    logistic_generator,
    minimax_generator,
    one_batch,
)
from scan_jax.losses.features import feature_matching

SHAPE = (2, 3, 5, 1)


def logits(seed):
    return (np.random.default_rng(seed).normal(size=SHAPE) * 3).astype(np.float32)


def log_sigmoid(x):
    return -np.log1p(np.exp(-x.astype(np.float64)))


def test_losses_are_their_definitions_in_float32():
    real, fake = logits(0), logits(1)
    game = log_sigmoid(real) + log_sigmoid(-fake)  # minimax, eq. 3: log D(I) + log(1 - D(fake))
    np.testing.assert_allclose(logistic_generator(fake), -log_sigmoid(fake), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(logistic_critic(real, fake), -game, rtol=1e-5)
    np.testing.assert_allclose(minimax_generator(fake), log_sigmoid(-fake), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(hinge_generator(fake), -fake)
    expected = np.maximum(0, 1 - real.astype(np.float64)) + np.maximum(0, 1 + fake.astype(np.float64))
    np.testing.assert_allclose(hinge_critic(real, fake), expected, rtol=1e-6, atol=1e-6)
    x = jnp.asarray(logits(0), jnp.bfloat16)
    for value in (logistic_generator(x), hinge_generator(x), logistic_critic(x, x), hinge_critic(x, x)):
        assert value.dtype == jnp.float32 and value.shape == SHAPE


def slopes(loss, *inputs):
    return jax.grad(lambda *x: loss(*x).sum(), argnums=range(len(inputs)))(*inputs)


def test_where_the_critic_is_sure_of_a_fake_minimax_saturates_and_the_other_still_gets_a_gradient():
    for loss, logit, wanted in (
        (minimax_generator, -50.0, 0),
        (minimax_generator, 50.0, -1),
        (logistic_generator, -50.0, -1),
    ):
        np.testing.assert_allclose(slopes(loss, jnp.full(SHAPE, logit))[0], wanted, rtol=1e-6, atol=1e-6)


def test_values_and_gradients_are_finite_far_away_and_at_zero_descending_moves_logits_the_right_way():
    def run(x):
        generators = [(loss(x), *slopes(loss, x)) for loss in (logistic_generator, hinge_generator)]
        return generators, [(loss(x, -x), *slopes(loss, x, -x)) for loss in (logistic_critic, hinge_critic)]

    for extreme in (0, 200, -200):
        generators, critics = jax.jit(run)(np.full(SHAPE, extreme, np.float32))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((generators, critics)))
        if extreme == 0:
            assert all((slope < 0).all() for _, slope in generators)
            assert all((real < 0).all() and (fake > 0).all() for _, real, fake in critics)


def test_logits_and_features_that_do_not_belong_together_are_refused():
    for critic in (logistic_critic, hinge_critic):
        refused("equal shapes", critic, (np.zeros(SHAPE), np.zeros((1, 3, 5, 1))))
    fake, real = features(0), features(1)
    refused("equal shapes", feature_matching, (fake, real[:1]))
    refused("before the logits", feature_matching, ([fake[0][-1:]], [real[0][-1:]]))


def test_one_batch_comes_apart_again_and_accuracy_counts_the_right_side():
    real, fake = jnp.arange(6.0).reshape(3, 2), -jnp.arange(6.0).reshape(3, 2)
    both = one_batch(real, fake)
    np.testing.assert_array_equal(both, [[0, 1], [0, -1], [2, 3], [-2, -3], [4, 5], [-4, -5]])
    np.testing.assert_array_equal(apart(both), (real, fake))
    assert float(critic_accuracy(jnp.asarray([1.0, 2.0, -1.0, 3.0]), jnp.asarray([-1.0, -2.0]))) == 0.875
    assert float(critic_accuracy(jnp.ones((2, 3)), jnp.ones((2, 3)))) == 0.5


def features(seed):
    rng = np.random.default_rng(seed)
    shapes = [[(2, 5, 5, 4), (2, 3, 3, 8), (2, 4, 4, 1)], [(2, 3, 3, 4), (2, 2, 2, 8), (2, 3, 3, 1)]]
    return [[rng.normal(size=shape).astype(np.float32) for shape in scale] for scale in shapes]


def test_feature_matching_sums_layers_averages_scales_and_leaves_the_logits_out():
    fake, real = features(0), features(1)
    run = jax.jit(jax.value_and_grad(feature_matching, argnums=(0, 1)))
    found, (for_fake, for_real) = run(fake, real)
    expected = np.mean([sum(np.abs(f - r).mean() for f, r in zip(a[:-1], b[:-1])) for a, b in zip(fake, real)])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(for_real)), "only the completion's side has a gradient"
    np.testing.assert_allclose(for_fake[0][0], np.sign(fake[0][0] - real[0][0]) / 200 / 2, rtol=1e-5)
    assert not np.any(for_fake[0][-1]) and not np.any(for_fake[1][-1])
    half = jax.eval_shape(feature_matching, *jax.tree.map(lambda x: x.astype(jnp.bfloat16), (fake, real)))
    assert half.shape == () and half.dtype == jnp.float32
    value, slopes = run(fake, fake)
    assert value == 0 and not any(np.any(leaf) for leaf in jax.tree.leaves(slopes)), "equal features give no push"
