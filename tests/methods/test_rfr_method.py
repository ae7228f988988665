"""RFR as a method: its phases, its loss by the public formulas, what a prediction depends on."""

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

SMALL = {"name": "rfr", "width": 8, "recurrences": 2, "loss": {"perceptual": 0.0, "style": 0.0}}
WEIGHTS = {"valid": 1.0, "hole": 6.0, "total_variation": 0.1, "perceptual": 0.05, "style": 120.0}


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


def test_the_first_phase_learns_and_the_second_freezes_all_statistics():
    method = api.build_method(SMALL)
    state, steps = start(method)
    begin, losses = state, []
    for _ in range(8):
        state, scalars = steps["first"](state, {}, example(), jax.random.key(1))
        losses.append(float(scalars["loss/generator"]))
    assert losses[-1] < losses[0]
    assert all(moved(begin.stats, state.stats)) and np.mean(moved(begin.params, state.params)) > 0.9
    tuned, scalars = steps["finetune"](state, {}, example(), jax.random.key(1))
    assert not any(moved(state.stats, tuned.stats))
    assert np.mean(moved(state.params, tuned.params)) > 0.9, "frozen are the statistics alone"
    assert set(scalars) == {"loss/finetune", "gradient_norm/finetune"} | {f"term/{term}" for term in method.weights}
    assert not any(moved(state.opt["generator"], tuned.opt["generator"]))


def activations(params, image):
    """VGG-16's poolings of an image as it is, without normalisation: [B,3,H,W] -> three of [B,C,h,w]."""
    import torch

    x, found = image, []
    for block, depth in ((1, 2), (2, 2), (3, 3)):
        for i in range(1, depth + 1):
            layer = {name: torch.tensor(np.array(value)) for name, value in params[f"conv{block}_{i}"].items()}
            x = torch.relu(torch.nn.functional.conv2d(x, layer["kernel"].permute(3, 2, 0, 1), layer["bias"], 1, 1))
        x = torch.nn.functional.max_pool2d(x, 2)
        found.append(x)
    return found


def public_terms(params, prediction, given):
    """The terms of the public code, in PyTorch."""
    torch = pytest.importorskip("torch")
    fake, real, mask = (torch.tensor(np.array(x)).permute(0, 3, 1, 2) for x in (prediction, given.image, given.known))
    completion = fake * (1 - mask) + real * mask
    fakes, reals, completions = (activations(params, x) for x in (fake, real, completion))

    def styles(a, b):
        _, c, h, w = a.shape
        a, b = a.flatten(2), b.flatten(2)
        return ((a @ a.mT - b @ b.mT).abs() / (c * h * w)).mean()

    hole = completion * (1 - mask)
    return {
        "valid": ((real - fake).abs() * mask).mean(),
        "hole": ((real - fake).abs() * (1 - mask)).mean(),
        "total_variation": hole.diff(dim=2).abs().mean() + hole.diff(dim=3).abs().mean(),
        "perceptual": sum((a - b).abs().mean() for found in (fakes, completions) for a, b in zip(found, reals)),
        "style": sum(styles(a, b) for found in (fakes, completions) for a, b in zip(found, reals)),
    }


@pytest.mark.parametrize("phase", [0, 1])
def test_the_loss_is_the_public_formula(phase):
    pytest.importorskip("torch")
    method, given = api.build_method({"name": "rfr", "width": 8, "recurrences": 2}), example()
    variables = jax.jit(method.init)(jax.random.key(0), given)
    frozen = {"features": jax.jit(method.features.network.init)(jax.random.key(3), given.image)["params"]}
    params = {"generator": variables.params["generator"]}
    loss, aux = jax.jit(method.turns[phase].loss)(params, frozen, variables.stats, given, None, jax.random.key(1))
    networks = {"params": params["generator"], **variables.stats["generator"]}
    apply = jax.jit(method.generator.apply, static_argnames=("train", "mutable"))
    seen = given.observe()
    prediction, _ = apply(networks, seen.image, seen.known, train=phase == 0, mutable=("batch_stats",))
    wanted = {name: float(term) for name, term in public_terms(frozen["features"], prediction, given).items()}
    assert aux.terms.keys() == wanted.keys() == method.weights.keys()
    for name, value in wanted.items():
        assert float(aux.terms[name]) == pytest.approx(value, rel=1e-3), name
    assert float(loss) == pytest.approx(sum(WEIGHTS[name] * value for name, value in wanted.items()), rel=1e-3)


def test_other_networks_see_images_as_they_were_trained_to():
    section = {**SMALL, "loss": {}, "features": {"name": "squeezenet"}, "feature_input": "normalized"}
    method, given = api.build_method(section), example()
    frozen = {"features": jax.jit(method.features.network.init)(jax.random.key(3), given.image)["params"]}
    found = method.terms._look(frozen, given.image)
    jax.tree.map(np.testing.assert_array_equal, found, method.features(frozen["features"], given.image))
    assert set(found) == {"relu_conv1", "fire3", "fire5", "fire7"}


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


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"widht": 8}, r"unknown config key config\.method\.widht, did you mean 'width'"),
        ({"width": 4}, r"config\.method\.width must be at least 8"),
        ({"recurrences": 0}, r"config\.method\.recurrences must be at least 1"),
        ({"feature_input": "raw"}, r"feature_input must be one of"),
        ({"features": {"name": "alexnet"}}, r"no loss looks through 'alexnet'"),
    ],
)
def test_a_bad_section_is_one_clear_line(section, message):
    with pytest.raises(UserError, match=message):
        api.build_method({"name": "rfr", **section})
