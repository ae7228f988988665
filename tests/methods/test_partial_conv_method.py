"""Partial convolution as a method: its phases, its loss by the public formulas, what a prediction depends on."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scan_jax.errors import UserError
from scan_jax.methods import api
from scan_jax.training.phases import turns_in
from scan_jax.training.state import initial_state
from scan_jax.training.step import make_step
from scan_jax.types import Example

SMALL = {"name": "partial_conv", "width": 4, "depth": 3, "loss": {"perceptual": 0.0, "style": 0.0}}
WITH_FEATURES = {"name": "partial_conv", "width": 4, "depth": 3, "features": {"name": "squeezenet"}}


def example(batch=2, size=32):
    image = jax.random.uniform(jax.random.key(2), (batch, size, size, 3))
    known = jnp.ones((batch, size, size, 1)).at[:, 5:20, 10:25].set(0)
    return Example(image, known)


def start(method):
    optimizers = {turn.name: optax.adam(1e-3, 0.9) for turn in method.turns}
    state = jax.jit(lambda key: initial_state(method, optimizers, example(), key))(jax.random.key(0))
    steps = {
        phase: jax.jit(make_step(turns_in(method.turns, phase), optimizers, 0.9)) for phase in ("first", "finetune")
    }
    return state, steps


def moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after))]


def part(tree, prefix):
    return {name: branch for name, branch in tree.items() if name.startswith(prefix)}


def test_the_first_phase_learns_and_the_second_freezes_the_encoders_statistics():
    method = api.build_method(SMALL)
    state, steps = start(method)
    begin, losses = state, []
    for _ in range(8):
        state, scalars = steps["first"](state, {}, example(), jax.random.key(1))
        losses.append(float(scalars["loss/generator"]))
    assert losses[-1] < losses[0]
    assert all(moved(begin.stats, state.stats)) and np.mean(moved(begin.params, state.params)) > 0.9
    tuned, scalars = steps["finetune"](state, {}, example(), jax.random.key(1))
    before, after = (s.stats["generator"]["batch_stats"] for s in (state, tuned))
    assert not any(moved(part(before, "enc"), part(after, "enc")))
    assert all(moved(part(before, "dec"), part(after, "dec")))
    params = [s.params["generator"]["enc2"] for s in (state, tuned)]
    assert all(moved(*params)), "frozen are the statistics alone"
    assert set(scalars) == {"loss/finetune", "gradient_norm/finetune"} | {f"term/{term}" for term in method.weights}
    assert not any(moved(state.opt["generator"], tuned.opt["generator"]))


def loss_of(method, turn, frozen, variables):
    given = (variables.stats, example(), None, jax.random.key(1))
    return turn.loss({"generator": variables.params["generator"]}, frozen, *given)


@pytest.mark.parametrize("phase", [0, 1])
def test_the_loss_is_the_public_formula(phase):
    """The public port's images, and with them its pixel terms, are normalised by ImageNet's statistics."""
    method = api.build_method(WITH_FEATURES)
    variables = jax.jit(method.init)(jax.random.key(0), example())
    frozen = {"features": jax.jit(method.features.network.init)(jax.random.key(3), example().image)["params"]}
    turn = method.turns[phase]
    loss, aux = jax.jit(lambda v: loss_of(method, turn, frozen, v))(variables)
    networks = {"params": variables.params["generator"], **variables.stats["generator"]}
    train = (("encoder", "decoder"), ("decoder",))[phase]
    prediction, _ = jax.jit(
        lambda: method.generator.apply(
            networks, example().observe().image, example().known, train=train, mutable=["batch_stats"]
        )
    )()
    given, known = example(), np.asarray(example().known, np.float64)
    completion = given.image * given.known + prediction * (1 - given.known)
    features = [
        {name: np.asarray(x, np.float64) for name, x in method.features(frozen["features"], image).items()}
        for image in (prediction, completion, given.image)
    ]
    output, merged, truth = (
        (np.asarray(x, np.float64) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        for x in (prediction, completion, given.image)
    )

    def gram(x):
        flat = x.reshape(x.shape[0], -1, x.shape[-1])
        return np.einsum("bnc,bnd->bcd", flat, flat) / flat[0].size

    raw, completed, real = features
    wanted = {
        "hole": np.abs((1 - known) * (output - truth)).mean(),
        "valid": np.abs(known * (output - truth)).mean(),
        "perceptual": sum(np.abs(f[n] - real[n]).mean() for f in (raw, completed) for n in real),
        "style": sum(np.abs(gram(f[n]) - gram(real[n])).mean() for f in (raw, completed) for n in real),
        "total_variation": np.abs(np.diff(merged, axis=1)).mean() + np.abs(np.diff(merged, axis=2)).mean(),
    }
    weights = {"valid": 1.0, "hole": 6.0, "total_variation": 0.1, "perceptual": 0.05, "style": 120.0}
    assert aux.terms.keys() == wanted.keys() == method.weights.keys()
    for name, value in wanted.items():
        assert float(aux.terms[name]) == pytest.approx(value, rel=1e-3), name
    assert float(loss) == pytest.approx(sum(weights[name] * value for name, value in wanted.items()), rel=1e-3)


def test_prediction_does_not_depend_on_the_hole_or_the_batch():
    method = api.build_method(SMALL)
    variables = jax.jit(method.init)(jax.random.key(0), example())
    predict = jax.jit(method.predict)
    given = example()
    other = Example(jnp.where(given.known > 0, given.image, 0.7), given.known)
    found = predict(variables, given.observe(), jax.random.key(4)).image
    np.testing.assert_array_equal(found, predict(variables, other.observe(), jax.random.key(4)).image)
    assert float(found.min()) >= 0 and float(found.max()) <= 1
    alone = jax.tree.map(lambda leaf: leaf[1:], given.observe())
    np.testing.assert_allclose(found[1:], predict(variables, alone, jax.random.key(4)).image, atol=1e-5)


def test_published_features_need_their_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("SCAN_JAX_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match=r"vgg16-397923af\.pth.*python -m scan_jax\.weights import vgg16"):
        api.build_method({"name": "partial_conv"}).load_frozen()
    assert api.build_method(SMALL).load_frozen() == {}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"widht": 3}, r"unknown config key config\.method\.widht, did you mean 'width'"),
        ({"depth": 1}, r"config\.method\.depth must be at least 2"),
        ({"loss": {"tv": 1.0}}, r"config\.method\.loss\.tv"),
        ({"features": {"name": "alexnet"}}, r"no loss looks through 'alexnet'"),
    ],
)
def test_a_bad_section_is_one_clear_line(section, message):
    with pytest.raises(UserError, match=message):
        api.build_method({"name": "partial_conv", **section})
