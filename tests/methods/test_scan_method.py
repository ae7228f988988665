"""SCAN as a method: its turns train what they say, on the terms that the config asks for."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scan_jax.errors import UserError
from scan_jax.methods import api
from scan_jax.training.state import initial_state
from scan_jax.training.step import make_step
from scan_jax.types import Example

LOSS = {"perceptual": 0.0, "style": 0.0}
SMALL = {"name": "scan", "width": 4, "critic_width": 4, "regions": 3, "blocks": 1, "loss": LOSS}


def example(batch=2, size=64):
    image = jax.random.uniform(jax.random.key(2), (batch, size, size, 3))
    known = jnp.ones((batch, size, size, 1)).at[:, 10:40, 20:50].set(0)
    return Example(image, known)


def start(method, rate=1e-3):
    optimizers = {turn.name: optax.adam(rate) for turn in method.turns}
    state = jax.jit(lambda key: initial_state(method, optimizers, example(), key))(jax.random.key(0))
    return state, jax.jit(make_step(method.turns, optimizers, 0.9))


def moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after))]


def test_two_steps_train_both_networks_and_learn():
    method = api.build_method(SMALL)
    state, step = start(method)
    losses = []
    first = state
    for _ in range(8):
        state, scalars = step(state, {}, example(), jax.random.key(1))
        losses.append(float(scalars["term/l1"]))
    assert int(state.step) == 8
    assert losses[-1] < losses[0]
    for network in ("generator", "critic"):
        assert np.mean(moved(first.params[network], state.params[network])) > 0.9
    vectors = {
        name: old["vectors"]["u"]
        for name, old in first.stats["critic"]["spectral"].items()
        if old["vectors"]["u"].size > 1
    }
    assert all(moved(vectors, {name: state.stats["critic"]["spectral"][name]["vectors"]["u"] for name in vectors}))
    assert all(np.isfinite(value) for value in scalars.values())


def test_a_turn_trains_only_its_networks():
    method = api.build_method(SMALL)
    generator, critic = method.turns
    assert (generator.trains, critic.trains) == (("generator",), ("critic",))
    variables = jax.jit(method.init)(jax.random.key(0), example())
    arguments = ({"critic": variables.params["critic"]}, variables.stats, example(), None, jax.random.key(1))
    loss, aux = generator.loss({"generator": variables.params["generator"]}, *arguments)
    assert set(aux.terms) == {"orthogonality", "l1", "adversarial"}
    weights = {"orthogonality": 10.0, "l1": 1.0, "adversarial": 0.1}
    assert float(loss) == pytest.approx(sum(weights[name] * float(term) for name, term in aux.terms.items()), rel=1e-5)
    np.testing.assert_array_equal(aux.carried * example().known, example().image * example().known)


def test_the_moving_average_follows_slowly():
    method = api.build_method({**SMALL, "loss": {**LOSS, "adversarial": 0.0}})
    state, step = start(method, rate=1e-2)
    after, _ = step(state, {}, example(), jax.random.key(1))
    for old, new, mean in zip(*(jax.tree.leaves(t) for t in (state.params, after.params, after.ema))):
        np.testing.assert_allclose(mean, 0.1 * old + 0.9 * new, rtol=1e-3, atol=1e-6)  # decay 1/10 at step 0


def test_terms_of_weight_zero_are_not_computed():
    method = api.build_method({**SMALL, "loss": {**LOSS, "adversarial": 0.0, "orthogonality": 0.0}})
    assert set(method.networks) == {"generator"}
    state, step = start(method)
    _, scalars = step(state, {}, example(), jax.random.key(1))
    assert set(scalars) == {"loss/generator", "gradient_norm/generator", "term/l1"}


def test_feature_terms_need_their_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SCAN_JAX_WEIGHTS", str(tmp_path))
    method = api.build_method({"name": "scan"})
    with pytest.raises(UserError, match=r"vgg19-dcbd9e11\.pth.*python -m scan_jax\.weights import vgg19"):
        method.load_frozen()


def test_feature_terms_are_finite_with_random_weights():
    section = {**SMALL, "loss": {"perceptual": 0.1, "style": 250.0}, "features": {"name": "squeezenet"}}
    method = api.build_method(section)
    state, step = start(method)
    frozen = {"features": jax.jit(method.features.network.init)(jax.random.key(3), example().image)["params"]}
    _, scalars = step(state, frozen, example(), jax.random.key(1))
    assert float(scalars["term/perceptual"]) > 0
    assert float(scalars["term/style"]) > 0
    assert np.isfinite(float(scalars["gradient_norm/generator"]))


def test_prediction_does_not_depend_on_the_hole_or_the_batch():
    method = api.build_method(SMALL)
    variables = jax.jit(method.init)(jax.random.key(0), example())
    predict = jax.jit(method.predict)
    given = example()
    other = Example(jnp.where(given.known > 0, given.image, 0.7), given.known)
    found = predict(variables, given.observe(), jax.random.key(4))
    np.testing.assert_array_equal(found.image, predict(variables, other.observe(), jax.random.key(4)).image)
    assert set(found.intermediates) == {"stage 1", "stage 2"}
    alone = jax.tree.map(lambda leaf: leaf[1:], given.observe())
    np.testing.assert_allclose(found.image[1:], predict(variables, alone, jax.random.key(4)).image, atol=1e-5)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"widht": 3}, r"unknown config key config\.method\.widht, did you mean 'width'"),
        ({"width": "wide"}, r"config\.method\.width must be int, not 'wide'"),
        ({"loss": {"l2": 1.0}}, r"config\.method\.loss\.l2, did you mean 'l1'"),
        ({"statistics": "letter"}, r"config\.method\.statistics must be one of"),
        ({"attention": ("spatial", "chanel")}, r"attention\[1\] must be one of"),
        ({"stages": 3}, r"stages must be one of"),
    ],
)
def test_a_bad_section_is_one_clear_line(section, message):
    with pytest.raises(UserError, match=message):
        api.build_method({"name": "scan", **section})


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'scan'"):
        api.build_method({"name": "scam"})
