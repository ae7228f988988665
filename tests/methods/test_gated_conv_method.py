"""Gated convolution as a method: its updates train what they say, on the public code's losses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_methods import begin, loss_of, moved, noise_example, take_steps

from scan_jax.methods import api

SMALL = {"name": "gated_conv", "width": 8, "critic_width": 4}


def example(size=32):
    """The second image lacks its lower part besides."""
    given = noise_example(size, hole=np.s_[6:20, 10:26])
    return dataclasses.replace(given, known=given.known.at[1, 24:].set(0))


@pytest.mark.slow
def test_steps_train_both_networks_and_learn():
    method = api.build_method(SMALL)
    first, step = begin(method, example(), optax.adam(1e-3, b1=0.5))
    state, scalars = take_steps(step, first, example())
    assert scalars[-1]["term/l1"] < scalars[0]["term/l1"]
    for network in ("generator", "critic"):
        assert np.mean(moved(first.params[network], state.params[network])) > 0.9
    assert all(moved(first.stats["critic"], state.stats["critic"]))
    terms = {"term/l1", "term/adversarial", "term/critic", "term/critic_real", "term/critic_accuracy"}
    assert set(scalars[-1]) >= terms
    assert all(np.isfinite(value) for value in scalars[-1].values())


def test_the_losses_are_the_public_formulas():
    """mean |I - stage| of both stages in [-1, 1]; -mean(fake); mean relu(1 - real) / 2 + mean relu(1 + fake) / 2."""
    method, given = api.build_method(SMALL), example()
    variables = jax.jit(method.init)(jax.random.key(0), given)
    seen = given.observe()
    stages = jax.jit(method.generator.apply)({"params": variables.params["generator"]}, seen.image, seen.known)
    signed = 2 * np.asarray(given.image, np.float64) - 1
    hole = 1 - np.asarray(given.known, np.float64)
    l1 = sum(np.abs(signed - (2 * np.asarray(stage, np.float64) - 1)).mean() for stage in stages)
    completion = np.asarray(stages[-1]) * hole + np.asarray(given.image) * (1 - hole)

    apply = jax.jit(method.critic.network.apply, static_argnames=("train", "mutable"))

    def judge(image, train=False):
        critic = {"params": variables.params["critic"], **variables.stats["critic"]}
        logits, _ = apply(critic, image, given.known, train=train, mutable="spectral")
        return np.asarray(logits, np.float64)

    generator, critic = method.updates
    loss, aux = loss_of(generator, variables, given)
    assert (generator.trains, set(aux.terms)) == (("generator",), {"l1", "adversarial"})
    assert float(aux.terms["l1"]) == pytest.approx(l1, rel=1e-5)
    adversarial = -judge(jnp.asarray(completion, jnp.float32)).mean()
    assert float(aux.terms["adversarial"]) == pytest.approx(adversarial, abs=1e-5)
    assert float(loss) == pytest.approx(float(aux.terms["l1"] + aux.terms["adversarial"]), rel=1e-5)
    np.testing.assert_allclose(aux.carried, completion, atol=1e-6)
    np.testing.assert_array_equal(aux.carried * given.known, given.image * given.known)

    loss, aux = loss_of(critic, variables, given, carried=aux.carried)
    # The step of the power iteration looks at kernels alone, so judging one by one sees the same norms.
    real, fake = (judge(image, train=True) for image in (given.image, jnp.asarray(completion, jnp.float32)))
    wanted = 0.5 * np.maximum(1 - real, 0).mean() + 0.5 * np.maximum(1 + fake, 0).mean()
    assert critic.trains == ("critic",)
    assert float(loss) == pytest.approx(wanted, rel=1e-4)
    assert set(aux.stats) == {"critic"}


def test_the_attention_map_spreads_cells_over_pixels_and_never_looks_at_the_hole():
    method, given = api.build_method(SMALL), example(size=64)
    variables = jax.jit(method.init)(jax.random.key(0), given)
    points = jnp.array([[[10, 12], [15, 8]], [[30, 2], [63, 63]]])
    maps = jax.jit(method.maps["attention"])(variables, given.observe(), points)
    assert maps.shape == (2, 2, 64, 64)
    np.testing.assert_array_equal(maps[0, 0], maps[0, 1])  # one cell of 8x8 pixels
    assert np.all(maps.sum((2, 3)) <= 1 + 1e-5)
    assert np.all(maps.sum((2, 3)) > 0.01)
    np.testing.assert_array_equal(maps[0, :, 8:16, 16:24], 0)
    assert float(maps[0, 0, 40, 40]) > 0
