"""SCAN as a method: its turns train what they say, on the terms that the config asks for."""

import jax
import numpy as np
import optax
import pytest
from small_methods import begin, moved, noise_example, take_steps

from scan_jax.errors import UserError
from scan_jax.methods import api

LOSS = {"perceptual": 0.0, "style": 0.0}
SMALL = {"name": "scan", "width": 4, "critic_width": 4, "regions": 3, "blocks": 1, "loss": LOSS}


def example():
    return noise_example(64, hole=np.s_[10:40, 20:50])


def test_steps_train_both_networks_and_learn():
    method = api.build_method(SMALL)
    first, step = begin(method, example(), optax.adam(1e-3))
    state, scalars = take_steps(step, first, example())
    assert int(state.step) == 8
    assert scalars[-1]["term/l1"] < scalars[0]["term/l1"]
    for network in ("generator", "critic"):
        assert np.mean(moved(first.params[network], state.params[network])) > 0.9
    vectors = {
        name: old["vectors"]["u"]
        for name, old in first.stats["critic"]["spectral"].items()
        if old["vectors"]["u"].size > 1
    }
    assert all(moved(vectors, {name: state.stats["critic"]["spectral"][name]["vectors"]["u"] for name in vectors}))
    assert all(np.isfinite(value) for value in scalars[-1].values())


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
    state, step = begin(method, example(), optax.adam(1e-2))
    after, _ = take_steps(step, state, example(), 1)
    for old, new, mean in zip(*(jax.tree.leaves(t) for t in (state.params, after.params, after.ema))):
        np.testing.assert_allclose(mean, 0.1 * old + 0.9 * new, rtol=1e-3, atol=1e-6)  # decay 1/10 at step 0


def test_terms_of_weight_zero_are_not_computed():
    method = api.build_method({**SMALL, "loss": {**LOSS, "adversarial": 0.0, "orthogonality": 0.0}})
    assert set(method.networks) == {"generator"}
    state, step = begin(method, example(), optax.adam(1e-3))
    _, (scalars,) = take_steps(step, state, example(), 1)
    assert set(scalars) == {"loss/generator", "gradient_norm/generator", "term/l1"}


def test_feature_terms_need_their_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SCAN_JAX_WEIGHTS", str(tmp_path))
    method = api.build_method({"name": "scan"})
    with pytest.raises(UserError, match=r"vgg19-dcbd9e11\.pth.*python -m scan_jax\.weights import vgg19"):
        method.load_frozen()


def test_feature_terms_are_finite_with_random_weights():
    section = {**SMALL, "loss": {"perceptual": 0.1, "style": 250.0}, "features": {"name": "squeezenet"}}
    method = api.build_method(section)
    state, step = begin(method, example(), optax.adam(1e-3))
    frozen = {"features": jax.jit(method.features.network.init)(jax.random.key(3), example().image)["params"]}
    _, scalars = step(state, frozen, example(), jax.random.key(1))
    assert float(scalars["term/perceptual"]) > 0
    assert float(scalars["term/style"]) > 0
    assert np.isfinite(float(scalars["gradient_norm/generator"]))


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
