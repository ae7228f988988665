"""SCAN as a method: its updates train what they say, on the terms that the config asks for."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_methods import begin, loss_of, moved, noise_example, random_features, small_method, take_steps

from scan_jax.core.errors import UserError
from scan_jax.core.types import Observation
from scan_jax.ops.smooth_fill import biharmonic_fill, harmonic_fill
from scan_jax.training.step import initial_state, make_step


@pytest.fixture(scope="module")
def begun():
    method = small_method("scan")
    return method, *begin(method, noise_example(), optax.adam(1e-3))


def test_steps_train_both_networks_and_learn(begun):
    _, first, step = begun
    state, scalars = take_steps(step, first, noise_example())
    assert int(state.step) == 8
    assert scalars[-1]["term/l1"] < scalars[0]["term/l1"]
    for network in ("generator", "critic"):
        assert np.mean(moved(first.params[network], state.params[network])) > 0.9
    vectors = [
        {name: s.stats["critic"]["spectral"][name]["vectors"]["u"] for name in s.stats["critic"]["spectral"]}
        for s in (first, state)
    ]
    assert sum(moved(*vectors)) >= len(vectors[0]) - 1  # the last layer has one output, whose vector is 1
    assert all(np.isfinite(value) for value in scalars[-1].values())


def test_the_moving_average_follows_slowly(begun):
    _, state, step = begun
    after, _ = take_steps(step, state, noise_example(), 1)
    for old, new, mean in zip(*(jax.tree.leaves(t["generator"]) for t in (state.params, after.params, after.ema))):
        np.testing.assert_allclose(mean, 0.1 * old + 0.9 * new, rtol=1e-3, atol=1e-6)  # decay 1/10 at step 0


def test_a_turn_trains_only_its_networks(begun):
    method, state, _ = begun
    generator, critic = method.updates
    assert (generator.trains, critic.trains) == (("generator",), ("critic",))
    loss, aux = loss_of(generator, state, noise_example())
    weights = {"orthogonality": 10.0, "l1": 1.0, "adversarial": 0.1}
    assert set(aux.terms) == set(weights)
    assert float(loss) == pytest.approx(sum(weights[name] * float(term) for name, term in aux.terms.items()), rel=1e-5)
    known = noise_example().known
    np.testing.assert_array_equal(aux.carried * known, noise_example().image * known)


def test_terms_of_weight_zero_are_not_computed():
    method = small_method("scan", loss=dict.fromkeys(("perceptual", "style", "adversarial", "orthogonality"), 0.0))
    assert set(method.networks) == {"generator"}
    adam = {"generator": optax.adam(1e-3)}
    state = jax.eval_shape(lambda key: initial_state(method, adam, noise_example(), key), jax.random.key(0))
    _, scalars = jax.eval_shape(make_step(method.updates, adam, 0.9), state, {}, noise_example(), jax.random.key(1))
    assert set(scalars) == {"loss/generator", "gradient_norm/generator", "term/l1"}


def test_feature_terms_reach_the_loss():
    weights = {"perceptual": 0.1, "style": 250.0, "adversarial": 0.0}
    method = small_method("scan", loss=weights, features={"name": "squeezenet"}, attention=(), stages=1)
    networks = jax.jit(method.init)(jax.random.key(0), noise_example())
    loss, aux = loss_of(method.updates[0], networks, noise_example(), frozen=random_features(method, noise_example()))
    assert float(aux.terms["perceptual"]) > 0 and float(aux.terms["style"]) > 0
    wanted = sum({**weights, "l1": 1.0, "orthogonality": 10.0}[name] * float(aux.terms[name]) for name in aux.terms)
    assert float(loss) == pytest.approx(wanted, rel=1e-5)


def test_a_network_that_has_learned_nothing_equals_its_prior():
    terms = dict.fromkeys(("perceptual", "style", "adversarial"), 0.0)
    method, example = small_method("scan", prior="both", attention=(), stages=1, loss=terms), noise_example()
    variables, seen = jax.jit(method.init)(jax.random.key(0), example), example.observe()

    @jax.jit
    def fill(seen):
        fills = biharmonic_fill(seen.image, seen.known, 4), harmonic_fill(seen.image, seen.known, 2)
        found = method.predict(variables, seen, jax.random.key(1))
        return found.image, found.intermediates["prior"], *fills

    found, prior, biharmonic, harmonic = fill(seen)
    np.testing.assert_allclose(found, 0.88 * biharmonic + 0.12 * harmonic, atol=1e-5)
    np.testing.assert_allclose(found, prior, atol=1e-6)
    left = Observation(seen.image + 0.3 * (1 - seen.known), seen.known)
    np.testing.assert_allclose(fill(left)[0], found, atol=1e-6)
    slopes = loss_of(method.updates[0], variables, example, slopes=True)[1]["generator"]
    assert np.abs(slopes["dec"]["rgb"]["kernel"]).max() > 0 and np.abs(slopes["prior"]["share"]).max() > 0


@pytest.mark.slow
def test_a_share_by_pixel_changes_nothing_at_first_and_leans_where_the_network_says():
    terms = dict.fromkeys(("perceptual", "style", "adversarial"), 0.0)
    small = {"prior": "both", "attention": (), "stages": 1, "loss": terms}
    method, example = small_method("scan", share="pixel", **small), noise_example()
    variables, seen = jax.jit(method.init)(jax.random.key(0), example), example.observe()

    @jax.jit
    def fill(variables, seen):
        fills = biharmonic_fill(seen.image, seen.known, 4), harmonic_fill(seen.image, seen.known, 2)
        found = method.predict(variables, seen, jax.random.key(1))
        return found.image, found.intermediates["prior"], *fills

    found, prior, *_ = fill(variables, seen)
    np.testing.assert_allclose(found, prior, atol=1e-6)
    slopes = loss_of(method.updates[0], variables, example, slopes=True)[1]["generator"]
    assert np.abs(slopes["dec"]["share"]["kernel"]).max() > 0

    generator = variables.params["generator"]
    leant = {**generator["dec"], "share": {**generator["dec"]["share"], "bias": jnp.full(1, -0.88)}}
    variables = dataclasses.replace(variables, params={"generator": {**generator, "dec": leant}})
    found, _, biharmonic, harmonic = fill(variables, seen)
    in_range = (found > 0) & (found < 1)
    assert in_range.mean() > 0.5 and not np.allclose(biharmonic, harmonic, atol=1e-2)
    np.testing.assert_allclose(found[in_range], harmonic[in_range], atol=1e-5)


def test_a_share_by_pixel_needs_two_fillings():
    with pytest.raises(
        UserError, match=r"config\.method\.share='pixel' needs config\.method\.prior='both', not 'none'"
    ):
        small_method("scan", share="pixel")
