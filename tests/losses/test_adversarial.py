import jax
import jax.numpy as jnp
import numpy as np
import pytest

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

SHAPE = (2, 3, 5, 1)


def logits(seed):
    return (np.random.default_rng(seed).normal(size=SHAPE) * 3).astype(np.float32)


def log_sigmoid(x):
    return -np.log1p(np.exp(-x.astype(np.float64)))


def test_logistic_losses_are_their_definitions():
    real, fake = logits(0), logits(1)
    np.testing.assert_allclose(logistic_generator(fake), -log_sigmoid(fake), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(logistic_critic(real, fake), -log_sigmoid(real) - log_sigmoid(-fake), rtol=1e-5)


def test_logistic_losses_are_pytorchs_cross_entropy():
    torch = pytest.importorskip("torch")
    real, fake = logits(0), logits(1)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits
    r, f = torch.tensor(real), torch.tensor(fake)
    expected = cross_entropy(r, torch.ones_like(r)) + cross_entropy(f, torch.zeros_like(f))
    np.testing.assert_allclose(logistic_critic(real, fake).mean(), expected, rtol=1e-5)


def test_minimax_is_the_game_of_eq_3():
    real, fake = logits(0), logits(1)
    game = log_sigmoid(real) + log_sigmoid(-fake)  # log D(I) + log(1 - D(fake))
    np.testing.assert_allclose(logistic_critic(real, fake), -game, rtol=1e-5)
    np.testing.assert_allclose(minimax_generator(fake), game - log_sigmoid(real), rtol=1e-5, atol=1e-6)


def test_minimax_saturates_where_the_critic_is_sure_of_a_fake():
    slope = jax.grad(lambda x: minimax_generator(x).sum())
    np.testing.assert_allclose(slope(jnp.full(SHAPE, -50.0)), 0.0, atol=1e-6)
    np.testing.assert_allclose(slope(jnp.full(SHAPE, 50.0)), -1.0, rtol=1e-6)


def test_hinge_losses_are_their_definitions():
    real, fake = logits(0), logits(1)
    np.testing.assert_allclose(hinge_generator(fake), -fake)
    expected = np.maximum(0, 1 - real.astype(np.float64)) + np.maximum(0, 1 + fake.astype(np.float64))
    np.testing.assert_allclose(hinge_critic(real, fake), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("extreme", [0.0, 200.0, -200.0])
def test_values_and_gradients_are_finite_at_zero_and_far_away(extreme):
    x = jnp.full(SHAPE, extreme)
    for loss in (logistic_generator, hinge_generator, lambda x: logistic_critic(x, -x), lambda x: hinge_critic(x, -x)):
        value, gradient = jax.value_and_grad(lambda x, loss=loss: loss(x).sum())(x)
        assert np.isfinite(value) and np.isfinite(gradient).all()


def test_a_lost_generator_still_gets_a_gradient():
    # non-saturating: where the critic is sure of a fake, the slope is -1, not 0
    np.testing.assert_allclose(jax.grad(lambda x: logistic_generator(x).sum())(jnp.full(SHAPE, -50.0)), -1.0, rtol=1e-6)


def test_descending_moves_logits_the_right_way():
    x = jnp.zeros(SHAPE)
    for generator, critic in ((logistic_generator, logistic_critic), (hinge_generator, hinge_critic)):
        assert (jax.grad(lambda f, g=generator: g(f).sum())(x) < 0).all()
        real, fake = jax.grad(lambda r, f, c=critic: c(r, f).sum(), argnums=(0, 1))(x, x)
        assert (real < 0).all() and (fake > 0).all()


def test_bfloat16_logits_give_float32_losses():
    x = jnp.asarray(logits(0), jnp.bfloat16)
    for value in (logistic_generator(x), hinge_generator(x), logistic_critic(x, x), hinge_critic(x, x)):
        assert value.dtype == jnp.float32 and value.shape == SHAPE


@pytest.mark.parametrize("critic", [logistic_critic, hinge_critic])
def test_logits_of_other_shapes_are_refused(critic):
    with pytest.raises(ValueError, match="equal shapes"):
        critic(jnp.zeros(SHAPE), jnp.zeros((1, 3, 5, 1)))


def test_one_batch_comes_apart_again():
    real, fake = jnp.arange(6.0).reshape(3, 2), -jnp.arange(6.0).reshape(3, 2)
    both = one_batch(real, fake)
    np.testing.assert_array_equal(both, [[0, 1], [0, -1], [2, 3], [-2, -3], [4, 5], [-4, -5]])
    for ours, theirs in zip(apart(both), (real, fake)):
        np.testing.assert_array_equal(ours, theirs)


def test_accuracy_counts_the_right_side():
    assert float(critic_accuracy(jnp.asarray([1.0, 2.0, -1.0, 3.0]), jnp.asarray([-1.0, -2.0]))) == 0.875
    assert float(critic_accuracy(jnp.ones((2, 3)), jnp.ones((2, 3)))) == 0.5
