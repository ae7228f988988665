"""Masked attention as a method: its updates, terms, and what it must not see."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_methods import begin, loss_of, moved, noise_example, take_steps

from scan_jax.core.errors import UserError
from scan_jax.core.types import Example
from scan_jax.methods import api
from scan_jax.ops.smooth_fill import harmonic_fill
from scan_jax.training.step import initial_state, make_step

LOSS = {"perceptual": 0.0, "adversarial": 0.01}
SIZES = {"num_labels": 5, "width": 4, "style_size": 8, "label_width": 8, "critic_width": 4, "target": 2e-3}
SEARCH = {"steps": 3, "perceptual": 0.0, "learning_rate": 0.05}
SMALL = {"name": "masked_attention", **SIZES, "loss": LOSS, "style_search": SEARCH}


def example():
    return noise_example(num_labels=5)


@pytest.fixture(scope="module")
def trained():
    """A method, its state at the start and after ten steps, and the scalars of each step."""
    method = api.build_method(SMALL)
    first, step = begin(method, example(), optax.adam(5e-3, 0.5))
    return method, first, *take_steps(step, first, example(), 10)


@pytest.fixture(scope="module")
def predict(trained):
    """(example, key) -> the trained method's image; compiled once for all tests."""
    method, _, state, _ = trained
    compiled, variables = jax.jit(method.predict), api.Variables(state.params, state.stats)
    return lambda given, key=0: np.asarray(compiled(variables, given.observe(), jax.random.key(key)).image)


def test_ten_steps_train_both_networks_and_learn_by_eq6(trained):
    _, first, state, scalars = trained
    assert scalars[-1]["term/pixel"] < scalars[0]["term/pixel"]
    assert all(np.isfinite(list(found.values())).all() for found in scalars)
    for network in ("generator", "critic"):
        assert np.mean(moved(first.params[network], state.params[network])) > 0.8
    for collection in ("batch_stats", "spectral"):
        assert np.mean(moved(first.stats["generator"][collection], state.stats["generator"][collection])) > 0.8
    assert set(scalars[0]) >= {f"term/{name}" for name in ("pixel", "semantic_attention", "adversarial", "critic")}
    scalars = trained[3][0]
    weights = {"pixel": 0.5, "semantic_attention": 0.1, "adversarial": 0.01}
    total = sum(weight * scalars[f"term/{name}"] for name, weight in weights.items())
    assert scalars["loss/generator"] == pytest.approx(total, rel=1e-5)


def test_a_hidden_or_absent_class_and_an_empty_hole_are_answered(predict):
    given = example()
    hidden = jnp.zeros_like(given.labels).at[:, 6:10, 12:15].set(3)  # class 3 lies wholly in the hole, 4 nowhere
    for known in (given.known, jnp.ones_like(given.known), jnp.zeros_like(given.known)):
        image = predict(Example(given.image, known, hidden))
        assert np.isfinite(image).all()
        assert 0 <= float(image.min()) <= float(image.max()) <= 1


@pytest.mark.slow
def test_known_region_hinge_and_feature_matching():
    loss = {**LOSS, "feature_matching": 10.0}
    method = api.build_method({**SMALL, "region": "known", "adversarial": "hinge", "loss": loss})
    given = example()
    variables = jax.jit(method.init)(jax.random.key(0), given)
    found = []
    for hole in (given.image, jnp.zeros_like(given.image)):
        changed = dataclasses.replace(given, image=jnp.where(given.known > 0, given.image, hole))
        total, aux = loss_of(method.updates[0], variables, changed)
        assert np.isfinite(float(total))
        found.append(aux.terms)
    assert float(found[0]["pixel"]) == float(found[1]["pixel"])  # eq. (2) does not look into the hole
    assert float(found[0]["feature_matching"]) != float(found[1]["feature_matching"])


@pytest.mark.parametrize("attention", ["none", "self", "masked"])
def test_the_other_mechanisms_of_table_1(attention):
    section = {**SMALL, "attention": attention, "loss": {**LOSS, "semantic_attention": 0.0}}
    method = api.build_method(section)
    optimizers = {update.name: optax.adam(1e-3) for update in method.updates}
    state = jax.eval_shape(lambda key: initial_state(method, optimizers, example(), key), jax.random.key(0))
    _, scalars = jax.eval_shape(make_step(method.updates, optimizers, 0.9), state, {}, example(), jax.random.key(1))
    assert "term/semantic_attention" not in scalars
    assert ("attention" in state.params["generator"]["encoder"]) == (attention != "none")
    assert set(method.maps) == ({"attention"} if attention != "none" else set())


def test_attention_maps_are_shares_of_the_known_pixels(trained):
    method, _, state, _ = trained
    given, points = example(), jnp.array([[[8, 12], [1, 2]]] * 2)  # in the hole, known
    variables = api.Variables(state.params, state.stats)
    maps = jax.jit(method.maps["attention"])(variables, given.observe(), points)
    assert maps.shape == (2, 2, 32, 32)
    np.testing.assert_allclose(maps[:, 0].sum((1, 2)), 1, rtol=1e-4)
    np.testing.assert_array_equal(maps[:, 1], 0)  # contextual: a known pixel attends to nothing
    inside = given.known[:, ::2, ::2, 0].repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(maps[:, 0] * (1 - inside), 0)


@pytest.mark.slow
def test_style_search_begins_with_the_prediction_and_lowers_its_objective(trained, predict):
    method, _, state, _ = trained
    given, search = example(), jax.jit(method.refiners["style_search"])
    found = search(api.Variables(state.params, state.stats), {}, given.observe(), jax.random.key(0))
    assert np.all(np.min(found.objective, axis=0) < found.objective[0])
    np.testing.assert_allclose(found.prediction.intermediates["before"], predict(given), atol=1e-6)


def test_styles_read_and_painted_again_are_the_prediction(trained, predict):
    method, _, state, _ = trained
    given, variables = example(), api.Variables(state.params, state.stats)
    styles = jax.jit(method.styles.read)(variables, given.observe())
    paint = jax.jit(method.styles.paint)
    again = paint(variables, given.observe(), styles, jax.random.key(0)).image
    np.testing.assert_allclose(again, predict(given), atol=1e-6)
    changed = styles.at[:, int(given.labels[0, 0, 0])].add(1.0)
    other = paint(variables, given.observe(), changed, jax.random.key(0)).image
    assert np.abs(np.asarray(other - again)).max() > 1e-3


@pytest.mark.slow
def test_with_a_prior_it_corrects_that_filling_by_what_it_has_painted():
    method, given = api.build_method({**SMALL, "prior": "harmonic", "loss": {**LOSS, "adversarial": 0.0}}), example()
    variables, seen = jax.jit(method.init)(jax.random.key(0), given), given.observe()
    start = variables.params["generator"]

    @jax.jit
    def fill(last, image, change):
        changed = {**start, "correction": {**start["correction"], "rgb": {"kernel": last, "bias": jnp.zeros(3)}}}
        found = method.predict(api.Variables({"generator": changed}, variables.stats), seen, jax.random.key(1))
        painted, networks = found.intermediates["painted"] + change, {"params": changed}
        other = method.generator.apply(networks, painted, image, seen.known, seen.labels, method="correct")
        return found.image, other, harmonic_fill(seen.image, seen.known, 2)

    last = start["correction"]["rgb"]["kernel"]
    found, _, harmonic = fill(last, seen.image, 0.0)
    np.testing.assert_allclose(found, harmonic, atol=1e-6)  # nothing is learned yet
    _, same, _ = fill(last + 0.01, seen.image + 0.3 * (1 - seen.known), 0.0)
    corrected, other, _ = fill(last + 0.01, seen.image, 0.5)
    np.testing.assert_allclose(np.clip(same, 0, 1), corrected, atol=1e-6)  # what stands in the hole is not read
    hole = (seen.known < 0.5)[..., 0]
    for a, b in ((corrected, found), (other, same)):
        assert (np.abs(a - b).max(-1)[hole] > 1e-4).mean() > 0.9 and np.abs(a - b).max(-1)[~hole].max() == 0
    _, aux = loss_of(method.updates[0], variables, given)
    assert float(aux.terms["pixel"]) > 2 * float(jnp.abs(harmonic - given.image).mean())  # the painted image's, too
    with pytest.raises(UserError, match="region='known' asks nothing of the hole"):
        api.build_method({**SMALL, "prior": "harmonic", "region": "known"})
